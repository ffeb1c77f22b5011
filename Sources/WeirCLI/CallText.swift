internal import GRPCWire
internal import Messages

/// Calls as text.
enum CallText {
    /// Calls as lines that follow each other. The columns are aligned as far as is known: a column
    /// grows with its widest cell.
    struct Lines {
        private static let titles = [
            "TIME", "STATUS", "BACKEND", "REPLICA", "TRIES", "DURATION", "METHOD", "TRACE",
        ]
        private static let rightAligned: Set = [4, 5]

        private var widths = [15, 6, 7, 7, 5, 8, 6, 5]
        private var hasHeading = false

        /// The line of a call; the first one follows a heading.
        mutating func next(_ call: Weir_Admin_V1_CallRecord) -> TerminalText {
            let cells = [
                CallText.clock(call.time), call.status,
                call.backend + (call.shadow ? " (shadow)" : ""), call.replica, "\(call.attempts)",
                Style.latency(call.durationUs), call.method, call.traceId,
            ].map { $0.isEmpty ? "-" : $0.printable(limit: 200) }
            for index in cells.indices { widths[index] = max(widths[index], cells[index].count) }
            let line = line(cells)
            let text: TerminalText =
                call.status == "OK" ? "\(line)" : Style.red("\(line)")
            guard !hasHeading else { return text }
            hasHeading = true
            return Style.dim("\(self.line(Self.titles))") + "\n" + text
        }

        private func line(_ cells: [String]) -> String {
            let padded = cells.indices.map { index in
                let space = String(
                    repeating: " ", count: max(0, widths[index] - cells[index].count))
                return Self.rightAligned.contains(index)
                    ? space + cells[index] : cells[index] + space
            }
            return String(
                padded.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
        }
    }

    /// The calls of a trace, with their phases and attempts.
    static func page(_ calls: [Weir_Admin_V1_CallRecord]) -> TerminalText {
        var table = Table([
            ("TIME", .left), ("STATUS", .left), ("ENDPOINT", .left), ("BACKEND", .left),
            ("REPLICA", .left), ("DURATION", .right), ("QUEUE", .right), ("UPSTREAM", .right),
            ("RESPONSE", .right), ("METHOD", .left), ("MESSAGE", .left),
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
        return table.text
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
