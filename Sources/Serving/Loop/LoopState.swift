internal import GRPCWire
internal import HTTP2Session
internal import Logging
internal import NIOCore
internal import Observability
internal import Transport
internal import Upstream

/// What all calls of one event loop share.
///
/// `@unchecked Sendable`: every stored `var` is only touched on `eventLoop`.
final class LoopState: @unchecked Sendable {
    let eventLoop: any EventLoop
    let context: LoopContext
    let threads: CallThreads
    let executor: LoopExecutor
    let limits: Limits
    let log: Logger
    let metrics: LoopMetrics
    let deadlines: Deadlines
    let lag: LoopLag
    var admission: Admission
    /// For the field `Date`.
    var clock = HTTPClock()
    /// Where replies are framed before the session takes them; reused.
    var scratch: [UInt8] = []

    init(
        _ context: LoopContext, _ threads: CallThreads, _ limits: Limits, maxBufferedBytes: Int,
        _ methodNames: MethodNames, _ log: Logger
    ) {
        eventLoop = context.eventLoop
        self.context = context
        self.threads = threads
        executor = LoopExecutor(eventLoop)
        self.limits = limits
        self.log = log
        metrics = LoopMetrics(methodNames)
        deadlines = Deadlines(eventLoop)
        lag = LoopLag(eventLoop, limit: limits.maxQueueingDelay)
        admission = Admission(
            .init(
                requestsInFlight: limits.maxRequestsInFlightPerLoop,
                blockingCalls: limits.maxBlockingCalls, bufferedBytes: maxBufferedBytes,
                queueingDelay: limits.maxQueueingDelay.nanoseconds))
    }

    var connections: ConnectionLoop { context.connections }

    /// Why a request is refused; nil if it is admitted.
    func refusal() -> RPCError? {
        lag.noteRequest()
        return admission.refusal(
            delay: lag.isOverLimit ? lag.nanoseconds : nil, otherBytes: sessionBytes)
    }

    /// Counts bytes that are kept for a request, or no longer are.
    ///
    /// - Returns: the refusal if that is too much.
    func hold(_ change: Int) -> RPCError? {
        admission.hold(change, otherBytes: sessionBytes)
    }

    /// Bytes of bodies in the sessions of the loop.
    private var sessionBytes: Int { connections.allocator.bodyBytes }

    var bufferedBytes: Int { admission.heldBytes + sessionBytes }
}

/// The threads for work that must not run on the event loops; all loops share them.
struct CallThreads: Sendable {
    /// For handlers that block.
    let blocking: ThreadExecutor
    /// For copies, which must not take a thread from calls of clients.
    let shadows: ThreadExecutor

    func shutDown() async throws {
        try await blocking.shutDown()
        try await shadows.shutDown()
    }
}
