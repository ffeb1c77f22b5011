internal import NIOCore
internal import Observability
internal import Traces
internal import Transport
internal import Upstream

internal import struct FoundationEssentials.Date

/// Why a call is exported that was not sampled at its start.
enum LateReason: String {
    case failed, slow, differed
}

/// A call that may be exported late.
protocol LateSpan {
    /// The span of the call.
    ///
    /// - Parameter trace: for a call without a trace of its caller.
    func span(of trace: TraceID, _ id: SpanID, _ reason: LateReason) -> TraceSpan
}

/// The tracing of one loop. Confined to it.
final class LoopTracing {
    let sampler: TraceSampler
    let queue: SpanQueue
    /// Whether calls can be exported although they were not sampled at their start.
    let samplesLate: Bool
    private let context: LoopContext
    private var ring: LateRing<(any LateSpan, LateReason)>
    private var isReleasing = false
    /// The time between two releases of late calls.
    private static let releaseInterval = TimeAmount.milliseconds(100)

    /// - Parameter loops: the number of loops that share the rate of late calls.
    init(_ settings: TraceSettings, _ context: LoopContext, loops: Int) {
        sampler = settings.sampler
        queue = settings.queue
        samplesLate = settings.lateCallsPerSecond > 0
        self.context = context
        ring = LateRing(
            capacity: Limits.maxWaitingLateCalls, perSecond: settings.lateCallsPerSecond,
            parts: loops)
    }

    /// Late calls that were dropped because of the rate.
    var droppedLate: UInt64 { ring.dropped }

    /// Nanoseconds since 1970 at the zero of the loop's clock.
    var wall: UInt64 {
        let now = UInt64(max(0, min(Date().timeIntervalSince1970, 0x1p33)) * 1e9)
        return now &- context.now
    }

    func newTrace() -> TraceID { TraceID(using: &context.random) }

    func newSpan() -> SpanID { SpanID(using: &context.random) }

    // MARK: Late calls

    /// Queues a call for its release at the rate.
    func offer(_ call: any LateSpan, _ reason: LateReason) {
        ring.offer((call, reason))
        guard !isReleasing else { return }
        isReleasing = true
        release()
    }

    /// Exports the calls that wait, because the server ends.
    func finish() { export(ring.takeAll()) }

    private func release() {
        export(ring.take(at: context.now))
        guard !ring.isEmpty else { return isReleasing = false }
        let tracing = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.releaseInterval) { tracing.value.release() }
    }

    private func export(_ calls: [(any LateSpan, LateReason)]) {
        for (call, reason) in calls {
            queue.append(call.span(of: newTrace(), newSpan(), reason))
        }
    }
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
