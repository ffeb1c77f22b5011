internal import DequeModule
internal import NIOCore
internal import Observability
internal import Traces
internal import Transport
internal import Upstream

/// The tracing of one loop. Confined to it.
final class LoopTracing {
    let sampler: TraceSampler
    let queue: SpanQueue
    /// Whether calls can be exported although they were not sampled at their start.
    let samplesLate: Bool
    private let context: LoopContext
    private var late: LateCalls
    private var isReleasing = false
    /// The time between two releases of late calls.
    private static let releaseInterval = TimeAmount.milliseconds(100)

    /// - Parameter loops: the number of loops that share the rate of late calls.
    init(_ settings: TraceSettings, _ context: LoopContext, loops: Int) {
        sampler = settings.sampler
        queue = settings.queue
        samplesLate = settings.lateCallsPerSecond > 0
        self.context = context
        late = LateCalls(
            capacity: Limits.maxWaitingLateCalls,
            perSecond: Double(settings.lateCallsPerSecond) / Double(loops), at: context.now)
    }

    /// Late calls that were dropped because of the rate.
    var droppedLate: UInt64 { late.dropped }

    func newTrace() -> TraceID { TraceID(using: &context.random) }

    func newSpan() -> SpanID { SpanID(using: &context.random) }

    // MARK: Late calls

    /// Queues a call for its release at the rate.
    func offer(_ call: LateCall, _ reason: LateReason) {
        late.offer(call, reason)
        guard !isReleasing else { return }
        isReleasing = true
        release()
    }

    /// Exports the calls that wait, because the server ends.
    func finish() {
        while let (call, reason) = late.removeFirst() { export(call, reason) }
    }

    private func release() {
        while let (call, reason) = late.takeFirst(at: context.now) { export(call, reason) }
        guard !late.isEmpty else { return isReleasing = false }
        let tracing = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.releaseInterval) { tracing.value.release() }
    }

    private func export(_ call: LateCall, _ reason: LateReason) {
        queue.append(call.span(of: newTrace(), newSpan(), reason))
    }
}

/// The late calls of one loop that wait for their export, at a bounded rate. A full queue drops its
/// oldest call. Confined to its loop.
struct LateCalls {
    private let capacity: Int
    private var waiting = Deque<(LateCall, LateReason)>()
    private var bucket: TokenBucket
    /// Calls that newer ones have replaced.
    private(set) var dropped: UInt64 = 0

    /// - Parameter perSecond: the most exports a second. At most one second's exports, and at least
    ///   one, come at once.
    init(capacity: Int, perSecond: Double, at now: UInt64) {
        self.capacity = capacity
        bucket = TokenBucket(capacity: max(1, perSecond), perSecond: perSecond, at: now)
    }

    var isEmpty: Bool { waiting.isEmpty }

    mutating func offer(_ call: LateCall, _ reason: LateReason) {
        if waiting.count == capacity {
            waiting.removeFirst()
            dropped += 1
        }
        waiting.append((call, reason))
    }

    /// Removes the oldest call, if the rate allows it now.
    mutating func takeFirst(at now: UInt64) -> (LateCall, LateReason)? {
        guard !waiting.isEmpty, bucket.take(1, at: now) else { return nil }
        return waiting.removeFirst()
    }

    /// Removes the oldest call, whatever the rate.
    mutating func removeFirst() -> (LateCall, LateReason)? { waiting.popFirst() }
}

/// The latency over which calls of one endpoint count as slow on one loop: the 99th percentile of
/// the last seconds. Confined to its loop.
final class SlowCalls {
    private static let interval: UInt64 = 10_000_000_000
    /// Fewer calls have no meaningful percentile.
    private static let minCalls: UInt64 = 100

    private let endpoint: String
    private let metrics: LoopMetrics
    private var threshold = UInt64.max
    private var seen = LatencyHistogram()
    private var nextAt: UInt64 = 0

    init(_ endpoint: String, _ metrics: LoopMetrics) {
        self.endpoint = endpoint
        self.metrics = metrics
    }

    /// Whether a call that has ended was slow.
    func include(nanoseconds: UInt64, at now: UInt64) -> Bool {
        if now >= nextAt { update(at: now) }
        return nanoseconds > threshold
    }

    private func update(at now: UInt64) {
        let all = metrics.latency(of: endpoint)
        let recent = all.since(seen)
        nextAt = now &+ Self.interval
        guard recent.count >= Self.minCalls else { return }
        threshold = recent.quantile(0.99)
        seen = all
    }
}
