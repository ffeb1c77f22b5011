internal import NIOCore
internal import Synchronization

/// Counts the tasks that wait for event loops, so that the loops end after the last of these tasks.
///
/// A loop that has ended accepts work and never runs it.
final class LoopUses: Sendable {
    private struct State {
        var count = 0
        var isClosed = false
        var closing: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Runs a function during which the loops do not end.
    ///
    /// - Throws: `EventLoopError.shutdown` after `close`.
    func use<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        try state.withLock { state in
            guard !state.isClosed else { throw EventLoopError.shutdown }
            state.count += 1
        }
        defer {
            let closing = state.withLock { state in
                state.count -= 1
                return state.count == 0 ? state.closing.take() : nil
            }
            closing?.resume()
        }
        return try await body()
    }

    /// Rejects further uses; returns when the present ones have ended. Called once.
    func close() async {
        await withCheckedContinuation { closing in
            let isIdle = state.withLock { state in
                state.isClosed = true
                if state.count > 0 { state.closing = closing }
                return state.count == 0
            }
            if isIdle { closing.resume() }
        }
    }
}
