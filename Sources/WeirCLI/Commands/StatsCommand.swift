internal import ArgumentParser
internal import Foundation
internal import Messages
internal import Weir

/// `weir stats`
struct StatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Shows requests, errors and latencies of each backend.")

    @Argument(help: "Show only this endpoint.")
    var endpoint = ""

    @OptionGroup var watching: WatchOptions
    @OptionGroup var options: AdminOptions

    func run() async throws {
        guard watching.watch else {
            let request = Weir_Admin_V1_GetStatsRequest(endpoint: endpoint)
            let reply = try await options.call { try await $0.getStats(request, $1) }
            return try options.show(reply) { Self.table($0, isLive: false) }
        }
        Output.exitWhenUnread()
        try await reporting {
            let client = try options.client
            let request = Weir_Admin_V1_WatchStatsRequest(
                endpoint: endpoint, intervalMs: UInt32(watching.interval * 1_000))
            var shown: Int32 = 0
            do {
                try await Weir_Admin_V1_AdminStub(client).watchStats(request) { stats in
                    try draw(stats)
                    shown += 1
                    if shown == watching.count { throw Enough() }
                }
            } catch is Enough {}
            await client.close()
        }
    }

    private struct Enough: Error {}

    private func draw(_ stats: Weir_Admin_V1_Stats) throws {
        if options.json {
            try Output.print(json: AdminOptions.json(stats, indent: 0))
        } else {
            try Style.draw(Self.table(stats, isLive: true), again: watching.interval)
        }
    }

    private static func table(_ stats: Weir_Admin_V1_Stats, isLive: Bool) -> TerminalText {
        var table = Table([
            ("ENDPOINT", .left), ("BACKEND", .left), ("WEIGHT", .right), ("SHARE", .right),
            ("", .left), (isLive ? "REQ/S" : "REQUESTS", .right), ("ERRORS", .right),
            ("IN FLIGHT", .right), ("P50", .right), ("P90", .right), ("P99", .right),
            ("MAX", .right),
        ])
        for row in stats.backends {
            let peers = stats.backends.filter { $0.endpoint == row.endpoint && !$0.shadow }
            let all = peers.reduce(0) { $0 + Double($1.requests) }
            let share = all > 0 ? Double(row.requests) / all : 0
            let errors = row.statuses.reduce(0) { $0 + ($1.code == 0 ? 0 : Double($1.count)) }
            let latency = row.latency ?? .init()
            let count =
                isLive ? String(format: "%.0f", row.requestsPerSecond) : "\(row.requests)"
            table.add([
                row.endpoint, row.backend + (row.shadow ? " (shadow)" : ""), "\(row.weight)",
                Style.percent(share), Style.bar(share, width: 16), count,
                String(format: "%.0f", errors),
                "\(row.inFlight)", Style.latency(latency.p50Us), Style.latency(latency.p90Us),
                Style.latency(latency.p99Us), Style.latency(latency.maxUs),
            ])
        }
        let span = String(format: "%.1f s", stats.seconds)
        let footer: TerminalText =
            "over \(span)  ·  \(stats.connections) connections  ·  \(stats.unrouted) unrouted"
            + "  ·  revision \(stats.revision)"
        return table.text + "\n" + Style.dim(footer) + FreezeCommand.line(stats.freeze)
    }
}
