internal import Observability
internal import Transport

internal import struct FoundationEssentials.Date

/// Compares pairs of responses, one at a time, on a separate thread.
final class Comparer: Sendable {
    private let thread = ThreadExecutor(threads: 1, yields: true)
    private let waiting: AsyncStream<Comparison>.Continuation

    /// - Parameters:
    ///   - limit: the most pairs that wait.
    ///   - maxMessageBytes: the largest message that is decompressed.
    init(limit: Int, maxMessageBytes: Int) {
        let (comparisons, waiting) = AsyncStream.makeStream(
            of: Comparison.self, bufferingPolicy: .bufferingOldest(limit))
        self.waiting = waiting
        Task(executorPreference: thread) {
            for await comparison in comparisons {
                comparison.run(
                    maxMessageBytes: maxMessageBytes, at: Date().timeIntervalSince1970)
            }
        }
    }

    /// - Returns: false if the queue is full.
    func submit(_ comparison: Comparison) -> Bool {
        if case .enqueued = waiting.yield(comparison) { true } else { false }
    }

    func shutDown() async throws {
        waiting.finish()
        try await thread.shutDown()
    }
}
