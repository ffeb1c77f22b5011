internal import ArgumentParser
internal import Foundation
internal import GRPCWire
internal import Messages
internal import Weir

/// `weir tap`
struct TapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tap", abstract: "Shows calls of an endpoint as they end, until Ctrl-C.",
        discussion: """
            The server selects the calls, and drops those that exceed --rate, the limits of all \
            taps, or the speed of the reader. The command reports how many were dropped. Messages \
            of statuses and addresses of clients are masked without --reveal-secrets. Tapping \
            needs the role operator. The command exits with 1 when the endpoint, or each \
            --backend, is deleted. In a fleet, it shows the calls of one server, and names the \
            other servers.

            Examples:
              weir tap greeter
              weir tap greeter --backend greeter-v2 --status UNAVAILABLE --status INTERNAL
              weir tap greeter --key ada --count 10 --json
            """)

    @Argument(help: "The endpoint.", completion: Completion.endpoints)
    var endpoint: String

    @Option(
        help: "Show only calls of this backend; may be repeated.", completion: Completion.backends)
    var backend: [String] = []

    @Option(
        help: "Show only calls with this status, for example UNAVAILABLE; may be repeated.",
        completion: .list(StatusCode.names))
    var status: [String] = []

    @Option(help: "Show only calls with this shard key (x-serve-shard-key).")
    var key: String?

    @Flag(help: "Show shadow copies, too.")
    var shadows = false

    @Option(
        help: "The share of the selected calls to show: 0.1, 10% or 1/10 (default: 1).",
        transform: Bounded.share)
    var share = 1.0

    @Option(
        help: "The most calls to show per second, 1 to 10000 (default: 100).",
        transform: Bounded.whole(1...10_000))
    var rate: UInt32 = 100

    @Option(
        help: "Exit after this many calls, 1 to 2147483647.",
        transform: Bounded.whole(1...Int32.max))
    var count: Int32?

    @Option(
        help: "Exit after this many seconds, 0.1 to 86400.",
        transform: Bounded.decimal(0.1...86_400))
    var seconds: Double?

    @Flag(help: "Show messages and addresses of clients; needs the role admin.")
    var revealSecrets = false

    @OptionGroup var options: AdminOptions

    func validate() throws {
        // An unset variable of a script must not show all calls.
        guard key != "" else { throw ValidationError("--key needs a shard key; it is empty") }
    }

    func run() async throws {
        Output.exitWhenUnread()
        let request = Weir_Admin_V1_TapRequest(
            endpoint: endpoint, backends: backend, statuses: status.map { $0.uppercased() },
            shardKey: Array((key ?? "").utf8), shadows: shadows, share: share, callsPerSecond: rate,
            revealSecrets: revealSecrets)
        await options.noteOtherServers("calls of the endpoint", "weir tap \(endpoint)")
        let end = seconds.map { ContinuousClock.now + .seconds($0) }
        var lines = CallText.Lines(columns: Screen.current.columns)
        var shown: Int32 = 0
        try await options.following { client, received in
            let timeout = end.map { max(.milliseconds(1), $0 - .now) }
            do {
                try await Weir_Admin_V1_AdminStub(client).tap(
                    request, .init(timeout: timeout)
                ) { response in
                    received()
                    if response.dropped > 0 {
                        printError("the server dropped \(response.dropped) calls")
                    }
                    guard let call = response.call else { return }
                    try show(call, &lines)
                    shown += 1
                    if shown == count { throw Enough() }
                }
                return false
            } catch is Enough {
                return true
            } catch let error as RPCError where error.code == .deadlineExceeded && end != nil {
                return true
            }
        }
    }

    private struct Enough: Error {}

    private func show(_ call: Weir_Admin_V1_CallRecord, _ lines: inout CallText.Lines) throws {
        guard !options.json else {
            return try Output.print(json: AdminOptions.json(call, indent: 0))
        }
        try Output.print(lines.next(call))
    }
}

/// `weir trace`
struct TraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace", abstract: "Shows what a server still has about the calls of a trace.",
        discussion: """
            Each event loop of a server keeps the latest calls that were sampled, failed or \
            were slow (weir serve --limit max-traced-calls=N). Messages of statuses and addresses \
            of clients are masked without --reveal-secrets. The command exits with 1 if the \
            server has no call of the trace. In a fleet, it names the other servers, which may \
            have some.

            Examples:
              weir trace 4bf92f3577b34da6a3ce929d0e0e4736
              weir trace 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 --json
            """)

    @Argument(help: "The trace id, 32 hexadecimal digits, or a whole traceparent.")
    var traceID: String

    @Flag(help: "Show messages and addresses of clients; needs the role admin.")
    var revealSecrets = false

    @OptionGroup var options: AdminOptions

    func validate() throws {
        guard Self.id(in: traceID) != nil else {
            throw ValidationError(
                "invalid trace id \(traceID.quoted): use 32 hexadecimal digits, or a traceparent "
                    + "such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        }
    }

    func run() async throws {
        let id = Self.id(in: traceID) ?? ""
        let reply = try await options.call {
            try await $0.getTrace(.init(traceId: id, revealSecrets: revealSecrets), $1)
        }
        if reply.calls.isEmpty { printError("the server has no call of the trace \(id)") }
        if options.json || !reply.calls.isEmpty {
            try options.show(reply) { CallText.page($0.calls, columns: Screen.current.columns) }
        }
        await options.noteOtherServers("calls of the trace", "weir trace \(id)")
        if reply.calls.isEmpty { throw ExitCode.failure }
    }

    /// The trace id in a trace id or in a `traceparent`; nil for other texts.
    static func id(in text: String) -> String? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let id = parts.count == 1 ? parts[0] : parts.count >= 4 ? parts[1] : ""
        guard id.utf8.count == 32, id.utf8.allSatisfy({ $0.hexValue != nil }),
            id.contains(where: { $0 != "0" })
        else { return nil }
        return id.lowercased()
    }
}
