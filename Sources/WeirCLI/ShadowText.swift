internal import Foundation
internal import Messages

/// The text output of shadows and shadow reports.
enum ShadowText {
    /// An endpoint's shadows and the rules that compare them.
    static func list(_ endpoint: Weir_Admin_V1_Endpoint) -> TerminalText {
        var table = Table([
            ("SHADOW", .left), ("PROPORTION", .right), ("", .left), ("IN FLIGHT", .right),
            ("BUFFERED", .right), ("TIMEOUT", .right), ("OWN", .left),
        ])
        for shadow in endpoint.shadows {
            let options = shadow.options ?? .init()
            table.add([
                shadow.backend, Style.weight(shadow.proportion), Style.bar(shadow.proportion),
                "max \(options.maxRequestsInFlight ?? 0)",
                "max \(bytes(options.maxBufferedBytes ?? 0))", seconds(options.timeout),
                options.includeOwn ? "yes" : "no",
            ])
        }
        let space: TerminalText = endpoint.shadows.isEmpty ? " " : "\n"
        return "\(Style.bold("\(endpoint.name)")) shadows:\(space)" + table.text
            + rules(endpoint.comparison ?? .init())
    }

    private static func rules(_ comparison: Weir_Admin_V1_ShadowComparison) -> TerminalText {
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
        return lines.map { "\n\($0)" as TerminalText }.joined()
    }

    /// The reports of an endpoint.
    static func page(_ response: Weir_Admin_V1_GetShadowReportResponse) -> TerminalText {
        guard !response.reports.isEmpty else { return "no shadows" }
        return response.reports.map(page).joined(separator: "\n\n")
    }

    private static func page(_ report: Weir_Admin_V1_ShadowReport) -> TerminalText {
        var parts: [TerminalText] = [
            "\(Style.bold("\(report.endpoint)")) shadow \(Style.bold("\(report.backend)")) "
                + "(\(Style.percent(report.proportion)) of requests\(age(report)))",
            Style.verdict("\(report.explanation)", isBad: isBad(report.verdict)), counts(report),
        ]
        if !report.fields.isEmpty { parts.append(fields(report)) }
        if !report.statuses.isEmpty { parts.append(statuses(report)) }
        if report.compared > 0 || report.pending > 0 { parts.append(latencies(report)) }
        return parts.joined(separator: "\n\n")
    }

    static func isBad(_ verdict: Weir_Admin_V1_ShadowVerdict) -> Bool {
        [.differs, .late, .unreachable].contains(verdict)
    }

    private static func age(_ report: Weir_Admin_V1_ShadowReport) -> String {
        report.since.map { ", for \(Style.age($0))" } ?? ""
    }

    private static func counts(_ report: Weir_Admin_V1_ShadowReport) -> TerminalText {
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
        return """
            copies    \(line)
            answers   \(compared)
            dropped   \(drops.isEmpty ? "none" : drops)
            """
    }

    private static func fields(_ report: Weir_Admin_V1_ShadowReport) -> TerminalText {
        let methods = Set(report.fields.map(\.method)).count > 1
        var table = Table(
            (methods ? [("METHOD", .left)] : []) + [
                ("FIELD", .left), ("DIFFERS", .right), ("NOISE", .right), ("", .left),
                ("PRIMARY", .left), ("SHADOW", .left),
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
        return table.text
    }

    private static func statuses(_ report: Weir_Admin_V1_ShadowReport) -> TerminalText {
        var table = Table([("PRIMARY", .left), ("SHADOW", .left), ("ANSWERS", .right)])
        for pair in report.statuses { table.add([pair.primary, pair.shadow, "\(pair.count)"]) }
        return table.text
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
            return (difference < 0 ? "-" : "+") + Style.latency(abs(difference))
        }
        return table.text
    }

    /// Pairs of responses that differ.
    static func samples(_ response: Weir_Admin_V1_GetShadowReportResponse) -> TerminalText {
        let samples = response.reports.flatMap { report in
            report.samples.map { (report.backend, $0) }
        }
        return samples.map { backend, sample -> TerminalText in
            let metadata = sample.metadata.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
            var table = Table([("  FIELD", .left), ("PRIMARY", .left), (backend, .left)])
            for pair in sample.differences {
                table.add(["  " + pair.place, short(pair.primary), short(pair.shadow)])
            }
            return "\(sample.method) \(Style.dim("\(metadata)"))\n\(table.text)"
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
