internal import ArgumentParser
internal import Foundation
internal import Messages
internal import Weir

/// `weir stats`
struct StatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Shows requests, errors and latencies of each backend.",
        discussion: """
            On a narrow terminal, the command shortens names and drops columns in this order: the \
            bar, MAX, P90, IN FLIGHT, P50, SHARE, P99, ERRORS, WEIGHT. Files and pipes receive \
            all columns.

            Examples:
              weir stats
              weir stats greeter --watch --interval 2
              weir stats --wide | less -S
            """)

    @Argument(help: "Show only this endpoint.", completion: Completion.endpoints)
    var endpoint = ""

    @Flag(help: "Show all columns, also on a narrow terminal.")
    var wide = false

    @Flag(help: "Show endpoints and backends that were deleted since the server started, too.")
    var all = false

    @OptionGroup(title: "Repetition") var watching: WatchOptions
    @OptionGroup var options: AdminOptions

    func validate() throws {
        guard !all || !watching.watch else {
            throw ValidationError("--all and --watch exclude each other")
        }
    }

    func run() async throws {
        guard watching.watch else {
            let request = Weir_Admin_V1_GetStatsRequest(endpoint: endpoint, deleted: all)
            let reply = try await options.call { try await $0.getStats(request, $1) }
            return try options.show(reply) { StatsText.page($0, isLive: false, columns: columns) }
        }
        Output.exitWhenUnread()
        let request = Weir_Admin_V1_WatchStatsRequest(
            endpoint: endpoint, intervalMs: UInt32(watching.interval * 1_000))
        var shown: Int32 = 0
        try await options.following { client, received in
            do {
                try await Weir_Admin_V1_AdminStub(client).watchStats(request) { stats in
                    received()
                    try draw(stats)
                    shown += 1
                    if shown == watching.count { throw Enough() }
                }
                return false
            } catch is Enough {
                return true
            }
        }
    }

    private struct Enough: Error {}

    private var columns: Int? { wide ? nil : Screen.current.columns }

    private func draw(_ stats: Weir_Admin_V1_Stats) throws {
        if options.json {
            try Output.print(json: AdminOptions.json(stats, indent: 0))
        } else {
            try Style.draw(
                StatsText.page(stats, isLive: true, columns: columns),
                again: "every \(watching.interval) s", footer: StatsText.footerLines(stats))
        }
    }
}
