internal import GRPCWire
internal import Weir

/// Decides when a command that watches a server connects again.
///
/// ```
/// connected --failed--> waiting --connected--> connected
///                          |
///                          +--no connection for `patience`--> ended
/// ```
/// A command whose first connection fails ends at once, so that a wrong address is reported.
struct Reconnection {
    /// How long a command waits for a server that does not answer.
    static let patience = Duration.seconds(60)
    private static let firstDelay = Duration.milliseconds(250)
    private static let longestDelay = Duration.seconds(2)

    private var wasConnected = false
    private var failedSince: Duration?
    private var delay = firstDelay

    /// The server has answered.
    mutating func connected() {
        wasConnected = true
        failedSince = nil
        delay = Self.firstDelay
    }

    /// The connection has ended, or could not be made.
    ///
    /// - Parameter now: the time since any fixed instant.
    /// - Returns: the time until the next attempt; nil if the command ends. `isFirst` is whether
    ///   this is the first failure since the server has answered.
    mutating func failed(at now: Duration) -> (delay: Duration, isFirst: Bool)? {
        guard wasConnected else { return nil }
        let isFirst = failedSince == nil
        let since = failedSince ?? now
        failedSince = since
        guard now - since < Self.patience else { return nil }
        defer { delay = min(delay * 2, Self.longestDelay) }
        return (delay, isFirst)
    }
}

extension AdminOptions {
    /// Calls a stream of the admin service until the body returns true. When the server ends the
    /// stream or does not answer, it calls again for `Reconnection.patience`.
    ///
    /// Throws the last failure when the server did not answer again.
    ///
    /// - Parameter body: receives a client and a closure to call for each message.
    func following(
        _ body: (WeirClient, _ received: () -> Void) async throws -> Bool
    ) async throws {
        let start = ContinuousClock.now
        var reconnection = Reconnection()
        try await reporting {
            while true {
                let failure: RPCError
                do {
                    let client = try connection.client
                    defer { Task { await client.close() } }
                    if try await body(client, { reconnection.connected() }) { return }
                    failure = RPCError(.unavailable, "the server ended the stream")
                } catch let error as RPCError where error.code == .unavailable {
                    failure = error
                }
                guard let next = reconnection.failed(at: ContinuousClock.now - start) else {
                    throw failure
                }
                if next.isFirst { printError("\(failure.message); connecting again") }
                try await Task.sleep(for: next.delay)
            }
        }
    }
}
