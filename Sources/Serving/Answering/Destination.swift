internal import GRPCWire
internal import HTTP2Session
internal import Upstream

/// What answers the requests of a destination.
enum Answerer {
    case handler(Handler)
    case replicas(BackendPool)
    /// Nothing does: the backend is not here, or has no such method.
    case none(RPCError)
}

/// A target, and what answers its requests. Confined to its loop.
final class Destination {
    let target: Target
    let answerer: Answerer

    init(_ target: Target, _ answerer: Answerer) {
        self.target = target
        self.answerer = answerer
    }

    /// Begins a call: it is counted, and has to be started.
    ///
    /// - Parameters:
    ///   - now: when its request arrived, in nanoseconds of the loop's clock.
    ///   - used: an ended call of the same origin that nothing else refers to.
    func begin(
        _ loop: LoopState, _ origin: ServerCall.Origin, at now: UInt64,
        reusing used: ServerCall? = nil
    ) -> ServerCall {
        let call: ServerCall
        switch answerer {
        case .handler(let handler):
            let answering = used as? HandlerCall ?? HandlerCall(loop, origin, target)
            answering.handler = handler
            call = answering
        case .replicas(let pool):
            let forwarding = used as? ForwardedCall ?? ForwardedCall(loop, origin, target)
            forwarding.pool = pool
            call = forwarding
        case .none(let error):
            call = RefusedCall(loop, origin, target, error)
        }
        call.begin(origin, target, at: now)
        return call
    }
}

/// A call that nothing can answer.
///
/// `@unchecked Sendable`: confined to its loop.
final class RefusedCall: ServerCall, @unchecked Sendable {
    private let error: RPCError

    init(_ loop: LoopState, _ origin: Origin, _ target: Target, _ error: RPCError) {
        self.error = error
        super.init(loop, origin, target)
    }

    override func answer(_ request: RequestHead) { finish(error) }
}
