internal import Foundation
internal import Messages

/// The text output of statistics.
enum StatsText {
    /// The number of lines at the end of a page that are always shown.
    static func footerLines(_ stats: Weir_Admin_V1_Stats) -> Int { stats.freeze == nil ? 1 : 2 }

    /// - Parameters:
    ///   - isLive: whether the figures are those of the last interval.
    ///   - limit: the columns of the terminal; nil for all columns of the table.
    static func page(
        _ stats: Weir_Admin_V1_Stats, isLive: Bool, columns limit: Int?
    ) -> TerminalText {
        var table = Table(columns(isLive: isLive))
        var sums: [Total: Double] = [:]
        for row in stats.backends where !row.shadow {
            sums[Total(row), default: 0] += Double(row.requests)
        }
        for row in stats.backends {
            table.add(cells(row, of: sums[Total(row)] ?? 0, isLive: isLive))
        }
        let span = String(format: "%.1f s", stats.seconds)
        let footer: [TerminalText] = [
            "over \(span)", "\(stats.connections) connections", "\(stats.unrouted) unrouted",
            "revision \(stats.revision)",
        ]
        let rejected = stats.endpoints.reduce(0) {
            $0 + Double($1.rateLimited) + Double($1.overloaded)
        }
        var shown = footer
        if rejected > 0 { shown.insert("\(String(format: "%.0f", rejected)) rejected", at: 3) }
        while let limit, shown.count > 1,
            shown.reduce(0, { $0 + $1.text.count }) + 5 * (shown.count - 1) > limit
        {
            shown.removeLast()
        }
        return table.text(columns: limit) + "\n" + Style.dim(shown.joined(separator: "  ·  "))
            + FreezeCommand.line(stats.freeze)
    }

    /// The manual documents the order in which narrow terminals drop columns.
    private static func columns(isLive: Bool) -> [Table.Column] {
        [
            .init(title: "ENDPOINT", isName: true), .init(title: "BACKEND", isName: true),
            .init(title: "WEIGHT", alignment: .right, drop: 9),
            .init(title: "SHARE", alignment: .right, drop: 6),
            .init(title: "", bar: 5...16, drop: 1),
            .init(title: isLive ? "REQ/S" : "REQUESTS", alignment: .right),
            .init(title: "ERRORS", alignment: .right, drop: 8),
            .init(title: "IN FLIGHT", alignment: .right, drop: 4),
            .init(title: "P50", alignment: .right, drop: 5),
            .init(title: "P90", alignment: .right, drop: 3),
            .init(title: "P99", alignment: .right, drop: 7),
            .init(title: "MAX", alignment: .right, drop: 2),
        ]
    }

    /// What the shares of rows are of.
    private struct Total: Hashable {
        let endpoint: String
        let isDeleted: Bool

        init(_ row: Weir_Admin_V1_BackendStats) {
            (endpoint, isDeleted) = (row.endpoint, row.deleted)
        }
    }

    /// - Parameter all: the requests of all primary backends of the endpoint.
    private static func cells(
        _ row: Weir_Admin_V1_BackendStats, of all: Double, isLive: Bool
    ) -> [Table.Cell] {
        let share = all > 0 ? Double(row.requests) / all : 0
        let errors = row.statuses.reduce(0) { $0 + ($1.code == 0 ? 0 : Double($1.count)) }
        let latency = row.latency ?? .init()
        return [
            .text(row.endpoint),
            .text(
                row.backend + (row.shadow ? " (shadow)" : "") + (row.deleted ? " (deleted)" : "")),
            .text(Style.weight(row.weight)), .text(Style.percent(share)),
            .bar { Style.bar(share, width: $0) },
            .text(isLive ? String(format: "%.0f", row.requestsPerSecond) : "\(row.requests)"),
            .text(String(format: "%.0f", errors)), .text("\(row.inFlight)"),
            .text(Style.latency(latency.p50Us)), .text(Style.latency(latency.p90Us)),
            .text(Style.latency(latency.p99Us)), .text(Style.latency(latency.maxUs)),
        ]
    }
}
