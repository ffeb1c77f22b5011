internal import Foundation
internal import Messages

/// The text output of shadows and shadow reports.
enum ShadowText {
    /// An endpoint's shadows and the rules that compare them.
    ///
    /// - Parameter screen: the lines fit its columns.
    static func list(
        _ endpoint: Weir_Admin_V1_Endpoint, screen: Screen = .unlimited
    ) -> TerminalText {
        var table = Table([
            .init(title: "SHADOW", isName: true), .init(title: "PROPORTION", alignment: .right),
            .init(title: "", bar: 4...20, drop: 5),
            .init(title: "IN FLIGHT", alignment: .right, drop: 3),
            .init(title: "BUFFERED", alignment: .right, drop: 2),
            .init(title: "TIMEOUT", alignment: .right, drop: 4), .init(title: "OWN", drop: 1),
        ])
        for shadow in endpoint.shadows {
            let options = shadow.options ?? .init()
            table.add([
                .text(shadow.backend), .text(Style.weight(shadow.proportion)),
                .bar { Style.bar(shadow.proportion, width: $0) },
                .text("max \(options.maxRequestsInFlight ?? 0)"),
                .text("max \(bytes(options.maxBufferedBytes ?? 0))"),
                .text(seconds(options.timeout)), .text(options.includeOwn ? "yes" : "no"),
            ])
        }
        let space: TerminalText = endpoint.shadows.isEmpty ? " " : "\n"
        return "\(Style.bold("\(endpoint.name)")) shadows:\(space)"
            + table.text(columns: screen.columns) + rules(endpoint.comparison ?? .init(), screen)
    }

    private static func rules(
        _ comparison: Weir_Admin_V1_ShadowComparison, _ screen: Screen
    ) -> TerminalText {
        var lines: [String] = []
        if !comparison.ignoredFields.isEmpty {
            lines.append("ignored: " + comparison.ignoredFields.joined(separator: ", "))
        }
        for rule in comparison.tolerances {
            let parts = [
                rule.absolute > 0 ? "\(rule.absolute)" : nil,
                rule.relative > 0 ? Style.percent(rule.relative) : nil,
            ]
            lines.append(
                "tolerance of \(rule.field): "
                    + parts.compactMap(\.self).joined(separator: " or "))
        }
        let redacted = comparison.redactedFields + comparison.redactedMetadata
        if !redacted.isEmpty { lines.append("redacted: " + redacted.joined(separator: ", ")) }
        if comparison.noiseProportion > 0 {
            let share = Style.percent(comparison.noiseProportion)
            lines.append("noise measured on \(share) of the copied requests")
        }
        return lines.map { "\n" + screen.words($0, indent: 2) }.joined()
    }

    /// The reports of an endpoint.
    ///
    /// - Parameter screen: the lines fit its columns.
    static func page(
        _ response: Weir_Admin_V1_GetShadowReportResponse, screen: Screen = .unlimited
    ) -> TerminalText {
        guard !response.reports.isEmpty else { return "no shadows" }
        return response.reports.map { page($0, screen) }.joined(separator: "\n\n")
    }

    private static func page(
        _ report: Weir_Admin_V1_ShadowReport, _ screen: Screen
    ) -> TerminalText {
        let names = "\(report.endpoint) shadow \(report.backend)"
        let bold: TerminalText =
            Style.bold("\(report.endpoint)") + " shadow " + Style.bold("\(report.backend)")
        let share = "(\(Style.percent(report.proportion)) of requests\(age(report)))"
        var parts: [TerminalText] = [
            screen.wrapped(
                [(bold, names.columns), ("\(share)", share.columns)], separator: " "),
            Style.verdict(
                screen.words(report.explanation, indent: 0), isBad: isBad(report.verdict)),
            counts(report, screen),
        ]
        if !report.fields.isEmpty { parts.append(fields(report, screen)) }
        if !report.statuses.isEmpty { parts.append(statuses(report, screen)) }
        if report.compared > 0 || report.pending > 0 { parts.append(latencies(report)) }
        return parts.joined(separator: "\n\n")
    }

    static func isBad(_ verdict: Weir_Admin_V1_ShadowVerdict) -> Bool {
        [.differs, .late, .unreachable].contains(verdict)
    }

    private static func age(_ report: Weir_Admin_V1_ShadowReport) -> String {
        report.since.map { ", for \(Style.age($0))" } ?? ""
    }

    private static func counts(
        _ report: Weir_Admin_V1_ShadowReport, _ screen: Screen
    ) -> TerminalText {
        var line = "\(report.selected) selected"
        if report.own > 0 { line += ", \(report.own) its own" }
        line += ", \(report.inFlight) in flight (\(bytes(report.bufferedBytes)) held)"
        if report.pending > 0 { line += ", \(report.pending) being compared" }
        if report.unpaired > 0 { line += ", \(report.unpaired) unpaired" }
        if report.overload > 0 { line += ", \(report.overload) not compared" }
        let compared =
            "\(report.compared) compared: \(report.equal) equal, \(report.differing) differing, "
            + "\(report.differingBeyondNoise) beyond noise"
            + (report.noiseCompared > 0 ? " (noise from \(report.noiseCompared))" : "")
        let drops = report.drops.map { "\($0.count) \($0.reason)" }.joined(separator: ", ")
        return [
            "copies    \(line)", "answers   \(compared)",
            "dropped   \(drops.isEmpty ? "none" : drops)",
        ].map { screen.words($0, indent: 10) }.joined(separator: "\n")
    }

    private static func fields(
        _ report: Weir_Admin_V1_ShadowReport, _ screen: Screen
    ) -> TerminalText {
        let methods = Set(report.fields.map(\.method)).count > 1
        var table = Table(
            (methods ? [.init(title: "METHOD", isName: true)] : []) + [
                .init(title: "FIELD", isName: true), .init(title: "DIFFERS", alignment: .right),
                .init(title: "NOISE", alignment: .right, drop: 1), .init(title: "", drop: 2),
                .init(title: "PRIMARY", isName: true), .init(title: "SHADOW", isName: true),
            ])
        for field in report.fields {
            let example = field.example ?? .init()
            table.add(
                (methods ? [field.method] : []) + [
                    field.field, Style.percent(field.share),
                    report.noiseCompared > 0 ? Style.percent(field.noiseShare) : "-",
                    field.noise ? "noise" : "", short(example.primary), short(example.shadow),
                ])
        }
        return table.text(columns: screen.columns)
    }

    private static func statuses(
        _ report: Weir_Admin_V1_ShadowReport, _ screen: Screen
    ) -> TerminalText {
        var table = Table([
            .init(title: "PRIMARY", isName: true), .init(title: "SHADOW", isName: true),
            .init(title: "ANSWERS", alignment: .right),
        ])
        for pair in report.statuses { table.add([pair.primary, pair.shadow, "\(pair.count)"]) }
        return table.text(columns: screen.columns)
    }

    private static func latencies(_ report: Weir_Admin_V1_ShadowReport) -> TerminalText {
        let (primary, shadow) = (
            report.primaryLatency ?? .init(), report.shadowLatency ?? .init()
        )
        var table = Table([
            ("LATENCY", .left), ("P50", .right), ("P90", .right), ("P99", .right), ("MAX", .right),
        ])
        func row(_ name: String, _ cell: (KeyPath<Weir_Admin_V1_Latency, Double>) -> String) {
            table.add([name, cell(\.p50Us), cell(\.p90Us), cell(\.p99Us), cell(\.maxUs)])
        }
        row("primary") { Style.latency(primary[keyPath: $0]) }
        row("shadow") { Style.latency(shadow[keyPath: $0]) }
        row("difference") {
            let difference = shadow[keyPath: $0] - primary[keyPath: $0]
            guard difference != 0 else { return "0" }
            return (difference < 0 ? "-" : "+") + Style.latency(abs(difference))
        }
        return table.text
    }

    /// Pairs of responses that differ.
    static func samples(
        _ response: Weir_Admin_V1_GetShadowReportResponse, screen: Screen = .unlimited
    ) -> TerminalText {
        let samples = response.reports.flatMap { report in
            report.samples.map { (report.backend, $0) }
        }
        return samples.map { backend, sample -> TerminalText in
            let metadata = sample.metadata.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
            var table = Table([
                .init(title: "  FIELD", isName: true), .init(title: "PRIMARY", isName: true),
                .init(title: backend, isName: true),
            ])
            for pair in sample.differences {
                table.add(["  " + pair.place, short(pair.primary), short(pair.shadow)])
            }
            return "\(sample.method) \(Style.dim("\(metadata)"))\n"
                + table.text(columns: screen.columns)
        }.joined(separator: "\n\n")
    }

    private static func short(_ text: String) -> String {
        let line = text.replacing("\n", with: " ")
        return line.count <= 40 ? line : line.prefix(37) + "..."
    }

    private static func bytes(_ count: UInt64) -> String {
        switch count {
        case ..<1_024: "\(count) B"
        case ..<(1 << 20): "\(count >> 10) KiB"
        default: "\(count >> 20) MiB"
        }
    }

    private static func seconds(_ duration: Google_Protobuf_Duration?) -> String {
        guard let duration else { return "-" }
        return String(format: "%g s", Double(duration.seconds) + Double(duration.nanos) / 1e9)
    }
}
