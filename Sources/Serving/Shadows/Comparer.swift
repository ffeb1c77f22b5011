internal import Observability
internal import Transport

internal import struct FoundationEssentials.Date

/// Compares pairs of responses, one at a time, on a separate thread.
final class Comparer: Sendable {
    private let thread = ThreadExecutor(threads: 1, yields: true)
    private let waiting: AsyncStream<ResponsePair>.Continuation

    /// - Parameters:
    ///   - limit: the most pairs that wait.
    ///   - maxMessageBytes: the largest message that is decompressed.
    init(limit: Int, maxMessageBytes: Int) {
        let (pairs, waiting) = AsyncStream.makeStream(
            of: ResponsePair.self, bufferingPolicy: .bufferingOldest(limit))
        self.waiting = waiting
        Task(executorPreference: thread) {
            for await pair in pairs {
                pair.compare(
                    maxMessageBytes: maxMessageBytes, at: Date().timeIntervalSince1970)
            }
        }
    }

    /// - Returns: false if the queue is full.
    func submit(_ pair: ResponsePair) -> Bool {
        if case .enqueued = waiting.yield(pair) { true } else { false }
    }

    func shutDown() async throws {
        waiting.finish()
        try await thread.shutDown()
    }
}
