internal import GRPCWire
internal import HTTP2Session
internal import Logging
internal import NIOCore
internal import Observability
internal import Traces
internal import Transport
internal import Upstream

/// The state that all calls of one event loop share.
///
/// Invariant of `@unchecked Sendable`: every stored `var` is used only on `eventLoop`.
final class LoopState: @unchecked Sendable {
    let eventLoop: any EventLoop
    let context: LoopContext
    let threads: CallThreads
    let executor: LoopExecutor
    let limits: Limits
    let log: Logger
    let metrics: LoopMetrics
    let deadlines: Deadlines
    let recorder: CallRecorder
    /// Nil for a server that traces no calls.
    let tracing: LoopTracing?
    /// Whether calls can be sampled without a flag of their caller.
    let samplesRoots: Bool
    private(set) var delay: LoopDelay
    var admission: Admission
    private var wallClock = WallClock()
    /// Requests that were refused before a backend was chosen, by endpoint.
    var endpoints: [String: EndpointFigures] = [:]
    /// For the header `Date`.
    var clock = HTTPClock()
    /// The buffer in which replies are framed before the session copies them; reused.
    var scratch: [UInt8] = []

    init(
        _ context: LoopContext, _ threads: CallThreads, _ limits: Limits, maxBufferedBytes: Int,
        _ methodNames: MethodNames, _ listeners: CallListeners, _ log: Logger,
        _ tracing: LoopTracing? = nil
    ) {
        eventLoop = context.eventLoop
        self.context = context
        self.threads = threads
        executor = LoopExecutor(eventLoop)
        self.limits = limits
        self.log = log
        metrics = LoopMetrics(methodNames)
        deadlines = Deadlines(eventLoop)
        recorder = CallRecorder(context, listeners, maxTracedCalls: limits.maxTracedCalls)
        self.tracing = tracing
        samplesRoots = tracing.map { !$0.sampler.samplesOnlyByParent } ?? false
        delay = LoopDelay(limit: limits.maxQueueingDelay)
        admission = Admission(
            .init(
                requestsInFlight: limits.maxRequestsInFlightPerLoop,
                blockingCalls: limits.maxBlockingCalls, bufferedBytes: maxBufferedBytes,
                queueingDelay: limits.maxQueueingDelay.nanoseconds))
    }

    /// Nanoseconds of the loop's clock.
    var now: UInt64 { eventLoop.now.uptimeNanoseconds }

    /// Nanoseconds since 1970 at the zero of the loop's clock, as last read.
    ///
    /// - Parameter now: nanoseconds of the loop's clock.
    func wallOffset(at now: UInt64) -> UInt64 { wallClock.offset(at: now) }

    var connectionLoop: ConnectionLoop { context.connectionLoop }

    /// The error for a request that is refused; nil if it is admitted.
    func refusal() -> RPCError? {
        if delay.requestArrived() { measureDelay() }
        return admission.refusal(
            delay: delay.isOverLimit ? delay.nanoseconds : nil, otherBytes: sessionBytes)
    }

    private func measureDelay() {
        let due = eventLoop.now + TimeAmount(LoopDelay.interval)
        eventLoop.scheduleTask(deadline: due) {
            let late = (self.eventLoop.now - due).nanoseconds
            if self.delay.timerFired(late: late) { self.measureDelay() }
        }
    }

    /// Adds a change to the bytes that are buffered for requests.
    ///
    /// - Returns: the refusal if the sum exceeds the limit.
    func hold(_ change: Int) -> RPCError? {
        admission.hold(change, otherBytes: sessionBytes)
    }

    /// Bytes of bodies in the HTTP/2 sessions of the loop.
    private var sessionBytes: Int { connectionLoop.allocator.bodyBytes }

    var bufferedBytes: Int { admission.heldBytes + sessionBytes }
}

/// The threads for work that must not run on event loops. All loops share them.
struct CallThreads: Sendable {
    /// For blocking handlers.
    let blocking: ThreadExecutor
    /// For shadow copies, so that they take no thread from calls of clients.
    let shadows: ThreadExecutor

    func shutDown() async throws {
        try await blocking.shutDown()
        try await shadows.shutDown()
    }
}
