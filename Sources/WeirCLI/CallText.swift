internal import GRPCWire
internal import Messages

/// Calls as text.
enum CallText {
    /// Calls as lines that follow each other.
    ///
    /// A terminal has columns of fixed widths, because later calls are not known. Without a limit,
    /// a column grows with its widest cell.
    struct Lines {
        private static let titles = [
            "TIME", "STATUS", "BACKEND", "REPLICA", "TRIES", "DURATION", "METHOD", "TRACE",
        ]
        private static let rightAligned: Set = [4, 5]
        private static let layout: [TableLayout.Column] = [
            .init(natural: 15, usual: 15, least: 15, drop: nil, isText: false),
            .init(natural: 18, usual: 9, least: 6, drop: nil, isText: true),
            .init(natural: 30, usual: 14, least: 7, drop: nil, isText: true),
            .init(natural: 21, usual: 9, least: 7, drop: 2, isText: true),
            .init(natural: 5, usual: 5, least: 5, drop: 3, isText: false),
            .init(natural: 8, usual: 8, least: 8, drop: nil, isText: false),
            .init(natural: 60, usual: 14, least: 6, drop: 4, isText: true),
            .init(natural: 32, usual: 32, least: 32, drop: 1, isText: false),
        ]

        private let isLimited: Bool
        private var widths: [Int?]
        private var hasHeading = false

        /// - Parameter limit: the columns of the terminal; nil for any number.
        init(columns limit: Int? = nil) {
            isLimited = limit != nil
            widths =
                limit.map { TableLayout.widths(Self.layout, limit: $0) }
                ?? [15, 6, 7, 7, 5, 8, 6, 5]
        }

        /// The line of a call; the first one follows a heading.
        mutating func next(_ call: Weir_Admin_V1_CallRecord) -> TerminalText {
            let cells = [
                CallText.clock(call.time), call.status,
                call.backend + (call.shadow ? " (shadow)" : ""), call.replica, "\(call.attempts)",
                Style.latency(call.durationUs), call.method, call.traceId,
            ].map { $0.isEmpty ? "-" : $0.printable(limit: 200) }
            if !isLimited {
                for index in cells.indices {
                    widths[index] = max(widths[index] ?? 0, cells[index].columns)
                }
            }
            let line = line(cells)
            let text: TerminalText =
                call.status == "OK" ? "\(line)" : Style.red("\(line)")
            guard !hasHeading else { return text }
            hasHeading = true
            return Style.dim("\(self.line(Self.titles))") + "\n" + text
        }

        private func line(_ cells: [String]) -> String {
            let padded = cells.indices.compactMap { index -> String? in
                guard let width = widths[index] else { return nil }
                let text = Style.shortened(cells[index], to: width)
                let space = String(repeating: " ", count: max(0, width - text.columns))
                return Self.rightAligned.contains(index) ? space + text : text + space
            }
            return String(
                padded.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
        }
    }

    /// The calls of a trace, with their phases and attempts.
    ///
    /// - Parameter limit: the columns of the terminal; nil for any number.
    static func page(
        _ calls: [Weir_Admin_V1_CallRecord], columns limit: Int? = nil
    ) -> TerminalText {
        var table = Table([
            .init(title: "TIME"), .init(title: "STATUS", isName: true),
            .init(title: "ENDPOINT", isName: true, drop: 6), .init(title: "BACKEND", isName: true),
            .init(title: "REPLICA", isName: true, drop: 5),
            .init(title: "DURATION", alignment: .right),
            .init(title: "QUEUE", alignment: .right, drop: 3),
            .init(title: "UPSTREAM", alignment: .right, drop: 4),
            .init(title: "RESPONSE", alignment: .right, drop: 2),
            .init(title: "METHOD", isName: true, drop: 7),
            .init(title: "MESSAGE", isName: true, drop: 1),
        ])
        func dash(_ text: String) -> String { text.isEmpty ? "-" : text }
        for call in calls {
            for attempt in call.failedAttempts {
                table.add([
                    "", attempt.status.isEmpty ? "not processed" : attempt.status, "",
                    "failed attempt", dash(attempt.replica), Style.latency(attempt.durationUs), "",
                    "", "", "", "",
                ])
            }
            table.add([
                clock(call.time), call.status, dash(call.endpoint),
                dash(call.backend) + (call.shadow ? " (shadow)" : ""), dash(call.replica),
                Style.latency(call.durationUs), Style.latency(call.queueUs),
                Style.latency(call.upstreamUs), Style.latency(call.responseUs),
                dash(call.method), dash(call.message),
            ])
        }
        return table.text(columns: limit)
    }

    /// The time of day in UTC, to the microsecond.
    private static func clock(_ time: Google_Protobuf_Timestamp?) -> String {
        guard let time, let text = time.text, let start = text.firstIndex(of: "T") else {
            return "-"
        }
        let clock = text[text.index(after: start)...].prefix { $0 != "Z" && $0 != "+" }
        let parts = clock.split(separator: ".")
        let fraction = parts.count > 1 ? String(parts[1].prefix(6)) : ""
        return "\(parts[0]).\(fraction)\(String(repeating: "0", count: max(0, 6 - fraction.count)))"
    }
}
