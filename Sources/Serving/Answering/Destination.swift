internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import Observability
internal import Upstream

/// Answers the requests of a destination.
enum Answerer {
    case handler(Handler)
    case replicas(BackendPool)
    /// The backend does not run in this server, or does not have the method.
    case none(RPCError)
}

/// A target and its answerer. Confined to its loop.
final class Destination {
    let target: Target
    let answerer: Answerer
    /// The messages of the method by the schema with this digest, for a path of replicas.
    private var known: (digest: UInt64, json: MessageJSON)?

    init(_ target: Target, _ answerer: Answerer) {
        self.target = target
        self.answerer = answerer
    }

    /// Begins and counts a call. The user starts it.
    ///
    /// - Parameters:
    ///   - now: when its request arrived, in nanoseconds of the loop's clock.
    ///   - shardPoint: the point of the shard key; nil without one.
    ///   - traceHeaders: those of the request.
    ///   - used: an ended call of the same origin that nothing else references.
    func begin(
        _ loop: LoopState, _ origin: ServerCall.Origin, at now: UInt64, shardPoint: UInt64? = nil,
        _ traceHeaders: TraceHeaders, reusing used: ServerCall? = nil
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
        call.begin(origin, target, at: now, shardPoint: shardPoint, traceHeaders)
        return call
    }

    /// The messages of a method by the schema of this backend.
    enum MethodMessages {
        case known(MessageJSON)
        case unknown(RPCError)
        /// The schema must be read first.
        case loading(ReplicaSet)
    }

    /// Finds the messages of the destination's method.
    func messages(of path: MethodPath) -> MethodMessages {
        switch answerer {
        case .handler(let handler): return .known(handler.method.json)
        case .none(let error): return .unknown(error)
        case .replicas(let pool):
            if path == .serveCall { return .known(Self.serveCall) }
            guard let (digest, schema) = pool.set.schemas.parsed else {
                return .loading(pool.set)
            }
            if let known, known.digest == digest { return .known(known.json) }
            guard let method = schema.services[path.service]?.method(named: path.method) else {
                return .unknown(
                    RPCError(
                        .unimplemented,
                        "the schema of backend '\(target.key.backend)' has no method "
                            + path.description.quoted))
            }
            let json = MessageJSON(method, path: path, schema)
            known = (digest, json)
            return .known(json)
        }
    }

    private static let serveCall = MessageJSON(
        request: Weir_V1_CallRequest.self, reply: Weir_V1_CallResponse.self, descriptorSet: nil,
        path: .serveCall)

    /// Begins and counts an ended call of this target again, for another stream of its connection.
    func begin(
        _ used: ServerCall, _ stream: HTTP2Stream, at now: UInt64, shardPoint: UInt64?,
        _ traceHeaders: TraceHeaders
    ) {
        // The call has the class of the answerer, because a target has one answerer.
        if case .replicas(let pool) = answerer { (used as? ForwardedCall)?.pool = pool }
        used.begin(stream, at: now, shardPoint: shardPoint, traceHeaders)
    }
}

/// A call that ends with an error at its start.
///
/// Invariant of `@unchecked Sendable`: confined to its loop.
final class RefusedCall: ServerCall, @unchecked Sendable {
    private let error: RPCError
    private var isJSON = false

    init(_ loop: LoopState, _ origin: Origin, _ target: Target, _ error: RPCError) {
        self.error = error
        super.init(loop, origin, target)
    }

    override func answer(_ request: RequestHead) {
        isJSON = request.isJSON
        finish(error)
    }

    override var responseHeaders: HeaderBlock {
        isJSON ? ReplyFormat.jsonHeaders : Self.plainHeaders
    }
}
