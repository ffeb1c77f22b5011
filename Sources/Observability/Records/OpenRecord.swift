package import GRPCWire
package import Traces

/// What a running call keeps for its record. Times are nanoseconds of the loop's clock.
///
/// ```
///   start ---queue---> first attempt ---upstream---> response begins ---response---> end
/// ```
package struct OpenRecord: Sendable {
    package var trace: TraceContext?
    /// Whether the phases are wanted, so that the clock is read when the response begins.
    package var measuresPhases: Bool
    private let startedAt: UInt64
    /// The replica of the running attempt, empty for a handler; nil between attempts.
    private var replica: String?
    private var firstAttemptAt: UInt64?
    private var attemptAt: UInt64 = 0
    private var respondedAt: UInt64?
    private var failed: [CallRecord.FailedAttempt] = []

    package init(_ trace: TraceContext?, measuresPhases: Bool = true, at startedAt: UInt64) {
        self.trace = trace
        self.measuresPhases = measuresPhases
        self.startedAt = startedAt
    }

    /// A replica receives the request; or a handler, whose name is empty.
    package mutating func attemptBegan(on replica: String, at now: UInt64) {
        self.replica = replica
        attemptAt = now
        if firstAttemptAt == nil { firstAttemptAt = now }
    }

    /// The attempt has failed, and another one follows.
    ///
    /// - Parameter code: nil if the replica has not processed the request.
    package mutating func attemptFailed(_ code: StatusCode?, at now: UInt64) {
        guard let replica else { return }
        failed.append(
            .init(replica: replica, code: code, nanoseconds: Self.between(attemptAt, now)))
        self.replica = nil
    }

    /// The response begins.
    package mutating func responded(at now: UInt64) {
        if respondedAt == nil { respondedAt = now }
    }

    /// Completes the record of a call that ends.
    package func complete(_ record: inout CallRecord, at now: UInt64) {
        record.trace = trace
        record.replica = replica ?? failed.last?.replica ?? ""
        record.failedAttempts = failed
        record.attempts = failed.count { $0.code != nil } + (replica == nil ? 0 : 1)
        let begun = firstAttemptAt ?? now
        let responded = max(begun, respondedAt ?? now)
        record.phases.queue = Self.between(startedAt, begun)
        record.phases.upstream = Self.between(begun, responded)
        record.phases.response = Self.between(responded, now)
    }

    private static func between(_ start: UInt64, _ end: UInt64) -> UInt64 {
        end > start ? end - start : 0
    }
}
