internal import NIOCore
internal import Observability
internal import Traces
internal import Transport
internal import Upstream

internal import struct FoundationEssentials.Date

/// The tracing of one loop. Confined to it.
final class LoopTracing {
    let sampler: TraceSampler
    let queue: SpanQueue
    /// Whether calls can be exported although they were not sampled at their start.
    let samplesLate: Bool
    private let context: LoopContext
    private var ring: LateRing<(LateCall, LateCall.Reason)>
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
            capacity: TraceSettings.lateCapacity, perSecond: settings.lateCallsPerSecond,
            parts: loops)
    }

    /// Late calls that were dropped because of the rate.
    var droppedLate: UInt64 { ring.dropped }

    /// Nanoseconds since 1970 at the zero of the loop's clock.
    var wall: UInt64 {
        let now = UInt64(max(0, min(Date().timeIntervalSince1970, 0x1p33)) * 1e9)
        return now &- context.now
    }

    /// Nanoseconds of the loop's clock.
    var now: UInt64 { context.now }

    /// Begins the trace of a call; nil if it is not sampled.
    func begin(_ call: ServerCall, _ headers: TraceHeaders) -> CallTrace? {
        if call.isShadow { return beginCopy(call, headers) }
        guard headers.mayBeSampled || !sampler.samplesOnlyByParent else { return nil }
        let caller = headers.context(in: call.requestHeaders)
        let fresh = TraceID(using: &context.random)
        guard sampler.samples(caller, newTrace: fresh),
            // Probes of Weir's own services would be most of the traces.
            caller?.isSampled == true || !call.target.key.endpoint.isEmpty
        else { return nil }
        let flags = caller?.flags.union(.sampled) ?? [.sampled, .random]
        return CallTrace(
            TraceContext(
                traceID: caller?.traceID ?? fresh, spanID: SpanID(using: &context.random),
                flags: flags),
            parent: caller?.spanID, state: headers.state(in: call.requestHeaders),
            continuesCaller: caller != nil, hasBinary: headers.hasBinary, links: [], queue,
            wall: wall)
    }

    /// A shadow copy has a span without a parent, because no span waits for it. It links to the
    /// span of the call.
    private func beginCopy(_ call: ServerCall, _ headers: TraceHeaders) -> CallTrace? {
        guard let primary = call.source?.primaryTrace else { return nil }
        return CallTrace(
            primary.context.at(SpanID(using: &context.random)), parent: nil,
            state: headers.state(in: call.requestHeaders),
            continuesCaller: primary.continuesCaller, hasBinary: headers.hasBinary,
            links: [TraceSpan.Link(primary.context)], queue, wall: wall)
    }

    // MARK: Late calls

    /// Queues a call for its release at the rate.
    func offer(_ call: LateCall, _ reason: LateCall.Reason) {
        ring.offer((call, reason))
        guard !isReleasing else { return }
        isReleasing = true
        release()
    }

    private func release() {
        for (late, reason) in ring.take(at: context.now) { export(late, reason) }
        guard !ring.isEmpty else { return isReleasing = false }
        let tracing = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.releaseInterval) { tracing.value.release() }
    }

    private func export(_ late: LateCall, _ reason: LateCall.Reason) {
        let caller = late.context
        let context = TraceContext(
            traceID: caller?.traceID ?? TraceID(using: &context.random),
            spanID: SpanID(using: &context.random), flags: caller?.flags ?? [.random])
        queue.append(
            late.call.span(
                context, parent: caller?.spanID, state: late.state, late: reason.rawValue,
                wall: late.wall))
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
