internal import GRPCWire
internal import HTTP2Session
internal import NIOCore
internal import Observability
internal import Traces
internal import Transport
internal import Upstream

/// The spans of one sampled call: one for the call, and one for each attempt at a replica.
///
/// ```
///   caller's span <--parent-- span of the call <--parent-- span of an attempt <--parent-- replica
///                                    ^
///                                  link
///                                    |
///                          span of a shadow copy <--parent-- span of its attempt <-- replica
/// ```
///
/// Confined to its loop.
final class CallTrace {
    private struct Attempt {
        let id: SpanID
        let replica: Replica
        let startedAt: UInt64
        let number: Int
        let isTransparent: Bool
    }

    /// The trace, and the span of the call.
    let context: TraceContext
    /// Whether the caller's own `tracestate` belongs to the trace.
    let continuesCaller: Bool
    /// Whether the caller has sent `grpc-trace-bin`.
    let hasBinary: Bool
    private let parent: SpanID?
    let state: String
    private let links: [TraceSpan.Link]
    private let queue: SpanQueue
    /// Nanoseconds since 1970 at the zero of the loop's clock.
    let wall: UInt64
    private var attempt: Attempt?
    /// Attempts that a replica may have processed.
    private var attempts = 0
    private var isNextTransparent = false

    init(
        _ context: TraceContext, parent: SpanID?, state: String, continuesCaller: Bool,
        hasBinary: Bool, links: [TraceSpan.Link], _ queue: SpanQueue, wall: UInt64
    ) {
        self.context = context
        self.parent = parent
        self.state = state
        self.continuesCaller = continuesCaller
        self.hasBinary = hasBinary
        self.links = links
        self.queue = queue
        self.wall = wall
    }

    /// Weir sends the request to a replica.
    func attemptBegan(
        on replica: Replica, at now: UInt64, using random: inout some RandomNumberGenerator
    ) {
        attempt = Attempt(
            id: SpanID(using: &random), replica: replica, startedAt: now, number: attempts,
            isTransparent: isNextTransparent)
        isNextTransparent = false
    }

    /// What the replica receives: the span of the attempt, or of the call outside attempts.
    var sent: TraceContext { attempt.map { context.at($0.id) } ?? context }

    /// What a handler passes on to other servers.
    func passed(_ headers: HeaderBlock) -> PassedTrace {
        let baggage = headers.all(.baggage).map { headers.text($0) }.joined(separator: ",")
        return PassedTrace(context, state: state, baggage: baggage)
    }

    /// The attempt has ended. Calls without an attempt have no effect.
    ///
    /// - Parameter code: nil if the replica has not processed the request.
    func attemptEnded(_ code: StatusCode?, _ message: String?, of target: Target, at now: UInt64) {
        guard let attempt else { return }
        self.attempt = nil
        isNextTransparent = code == nil
        if code != nil { attempts += 1 }
        let code = code ?? .unavailable
        var attributes = CallRecord.attributes(.grpc, code)
        attributes.append(Attribute("rpc.method", target.tracedMethod))
        let address = attempt.replica.address
        if let ip = address.ipAddress {
            attributes.append(Attribute("server.address", attempt.replica.host ?? ip))
            attributes.append(Attribute("network.peer.address", ip))
            if let port = address.port {
                attributes.append(Attribute("server.port", port))
                attributes.append(Attribute("network.peer.port", port))
            }
        } else {
            attributes.append(Attribute("server.address", address.pathname ?? ""))
        }
        attributes.append(Attribute("previous-rpc-attempts", attempt.number))
        attributes.append(Attribute("transparent-retry", attempt.isTransparent))
        attributes.append(Attribute("weir.backend", target.key.backend))
        attributes.append(Attribute("weir.replica", attempt.replica.name))
        if target.key.isShadow { attributes.append(Attribute("weir.shadow", true)) }
        queue.append(
            TraceSpan(
                context.at(attempt.id), parent: context.spanID, state: state,
                name: target.tracedMethod, kind: .client, startedAt: wall &+ attempt.startedAt,
                endedAt: wall &+ now, status: EndedCall.status(code, message ?? ""),
                attributes: attributes))
    }

    /// The call as an example of its latency.
    func exemplar(_ nanoseconds: UInt64, endedAt now: UInt64) -> Exemplar {
        Exemplar(context, nanoseconds: nanoseconds, time: wall &+ now)
    }

    /// The call has ended, after its attempts.
    func ended(_ call: EndedCall) {
        queue.append(call.span(context, parent: parent, state: state, links: links))
    }
}

extension CallTrace {
    /// Begins the trace of a call; nil if it is not sampled.
    static func begin(_ call: ServerCall, _ tracing: LoopTracing) -> CallTrace? {
        if call.isShadow { return beginCopy(call, tracing) }
        let fields = call.requestHeaders
        let caller = TraceHeaders.context(in: fields)
        let fresh = tracing.newTrace()
        guard tracing.sampler.samples(caller, newTrace: fresh),
            // Probes of Weir's own services would be most of the traces.
            caller?.isSampled == true || !call.target.key.endpoint.isEmpty
        else { return nil }
        let context = TraceContext(
            traceID: caller?.traceID ?? fresh, spanID: tracing.newSpan(),
            flags: caller?.flags.union(.sampled) ?? [.sampled, .random])
        return CallTrace(
            context, parent: caller?.spanID, state: TraceHeaders.state(in: fields),
            continuesCaller: caller != nil, hasBinary: fields.first(.traceBinary) != nil,
            links: [], tracing.queue, wall: call.loop.wallOffset(at: call.startedAt))
    }

    /// A shadow copy has a span without a parent, because no span waits for it. It links to the
    /// span of the call.
    private static func beginCopy(_ call: ServerCall, _ tracing: LoopTracing) -> CallTrace? {
        guard let primary = call.source?.primaryTrace else { return nil }
        return CallTrace(
            primary.context.at(tracing.newSpan()), parent: nil,
            state: primary.state, continuesCaller: primary.continuesCaller,
            hasBinary: primary.hasBinary, links: [TraceSpan.Link(primary.context)],
            tracing.queue, wall: call.loop.wallOffset(at: call.startedAt))
    }
}
