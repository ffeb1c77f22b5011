internal import GRPCWire
internal import HTTP2Session
internal import Observability
internal import Traces
internal import Transport
internal import Upstream

extension ServerCall {
    /// The facts for the span of a sampled call; nil for another one, which may be exported late. A
    /// client that cancels a call does not make it interesting.
    func traced(
        _ code: StatusCode, _ message: @autoclosure () -> String, nanoseconds: UInt64,
        observer: (any CallObserver)?, byClient: Bool
    ) -> EndedCall? {
        if trace != nil { return facts(code, message(), nanoseconds: nanoseconds) }
        guard let slow = target.slow, let tracing = loop.tracing, !byClient else { return nil }
        let isSlow = slow.include(nanoseconds: nanoseconds, at: startedAt &+ nanoseconds)
        let hasFailed = code.isServerFault
        guard hasFailed || isSlow || observer != nil else { return nil }
        let headers = requestHeaders
        let late = LateCall(
            call: facts(code, message(), nanoseconds: nanoseconds),
            context: TraceHeaders.context(in: headers), state: TraceHeaders.state(in: headers),
            wall: tracing.wall)
        if hasFailed || isSlow {
            tracing.offer(late, hasFailed ? .failed : .slow)
        } else {
            observer?.ended(untraced: late)
        }
        return nil
    }

    private func facts(_ code: StatusCode, _ message: String, nanoseconds: UInt64) -> EndedCall {
        let headers = requestHeaders
        return EndedCall(
            target: target, code: code, message: message, startedAt: startedAt,
            nanoseconds: nanoseconds, peer: peer,
            authority: headers.first(.authority).map { headers.text($0) } ?? "",
            form: source?.recordForm ?? .grpc, shardPoint: shardPoint, attempts: attempts,
            replica: lastReplica)
    }
}

extension LoopTracing {
    /// A request that is answered without a call has a span too, if its caller has sampled it.
    ///
    /// - Returns: the span; nil without one.
    func refused(
        _ error: RPCError, _ headers: HeaderBlock, _ target: Target?, from peer: Peer,
        at now: UInt64, _ form: CallRecord.Form
    ) -> TraceContext? {
        guard let caller = TraceHeaders.context(in: headers), caller.isSampled,
            sampler.samples(caller, newTrace: caller.traceID)
        else { return nil }
        let method = target?.tracedMethod ?? "_OTHER"
        var attributes = EndedCall.attributes(form, method, error.code)
        attributes += Attribute.address(
            "server", headers.first(.authority).map { headers.text($0) } ?? "")
        attributes += Attribute.address("network.peer", peer.text)
        if let target { attributes.append(Attribute("weir.endpoint", target.key.endpoint)) }
        let time = wall &+ now
        let context = caller.at(newSpan())
        queue.append(
            TraceSpan(
                context, parent: caller.spanID, parentIsRemote: true,
                state: TraceHeaders.state(in: headers), name: method, kind: .server,
                startedAt: time, endedAt: time,
                status: EndedCall.status(error.code, error.message), attributes: attributes))
        return context
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
            links: [],
            tracing.queue, wall: tracing.wall)
    }

    /// A shadow copy has a span without a parent, because no span waits for it. It links to the
    /// span of the call.
    private static func beginCopy(_ call: ServerCall, _ tracing: LoopTracing) -> CallTrace? {
        guard let primary = call.source?.primaryTrace else { return nil }
        return CallTrace(
            primary.context.at(tracing.newSpan()), parent: nil,
            state: primary.state, continuesCaller: primary.continuesCaller,
            hasBinary: primary.hasBinary,
            links: [TraceSpan.Link(primary.context)], tracing.queue, wall: tracing.wall)
    }
}
