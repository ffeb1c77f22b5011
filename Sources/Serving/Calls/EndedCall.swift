internal import GRPCWire
internal import Observability
internal import Traces
internal import Transport
internal import Upstream

/// What a span states about an ended call.
struct EndedCall {
    /// The longest text of a status that a span contains.
    static let maxMessageBytes = 1_024

    let target: Target
    let code: StatusCode
    let message: String
    /// In nanoseconds of the loop's clock.
    let startedAt: UInt64
    let nanoseconds: UInt64
    let peer: Peer
    /// The value of `:authority`; empty without one.
    let authority: String
    /// How the client called.
    let form: CallRecord.Form
    /// The point of the shard key, never the key; nil without one.
    let shardPoint: UInt64?
    let attempts: Int
    /// The replica of the last attempt; nil for other calls.
    let replica: Replica?

    /// - Parameter wall: nanoseconds since 1970 at the zero of the loop's clock.
    func span(
        _ context: TraceContext, parent: SpanID?, state: String, links: [TraceSpan.Link] = [],
        late: String? = nil, wall: UInt64
    ) -> TraceSpan {
        let key = target.key
        var attributes = Self.attributes(form, target.tracedMethod, code)
        attributes += Attribute.address("server", authority)
        attributes += Attribute.address("network.peer", peer.text)
        if !key.endpoint.isEmpty {
            attributes.append(Attribute("weir.endpoint", key.endpoint))
            attributes.append(Attribute("weir.revision", Int(clamping: target.revision)))
        }
        attributes.append(Attribute("weir.backend", key.backend))
        if attempts > 0 { attributes.append(Attribute("weir.attempts", attempts)) }
        if let replica { attributes.append(Attribute("weir.replica", replica.name)) }
        if key.isShadow { attributes.append(Attribute("weir.shadow", true)) }
        if let shardPoint {
            attributes.append(.shardPoint(shardPoint))
        }
        if let cohorts = target.cohorts {
            attributes.append(
                Attribute("weir.rollout", cohorts.isCandidate ? "candidate" : "baseline"))
        }
        if let late {
            attributes.append(Attribute("sampled", "late"))
            attributes.append(Attribute("weir.late", late))
        }
        let startedAt = wall &+ startedAt
        return TraceSpan(
            context, parent: parent, parentIsRemote: parent != nil, state: state,
            name: target.tracedMethod, kind: key.isShadow ? .internal : .server,
            startedAt: startedAt, endedAt: startedAt &+ nanoseconds,
            status: Self.status(code, message), attributes: attributes, links: links)
    }

    /// The statuses that rollouts judge as failures are errors of spans too.
    static func status(_ code: StatusCode, _ message: String) -> TraceSpan.Status {
        code.isServerFault ? .error(message.kept(bytes: maxMessageBytes)) : .unset
    }

    /// What every span of a call states; `error.type` only for a failure.
    static func attributes(
        _ form: CallRecord.Form, _ method: String, _ code: StatusCode
    ) -> [Attribute] {
        let system = form == .connect ? "connectrpc" : "grpc"
        let status = code.counted.description
        return [
            Attribute("rpc.system.name", system), Attribute("rpc.method", method),
            Attribute("rpc.status_code", status),
        ] + (code.isServerFault ? [Attribute("error.type", status)] : [])
    }
}

/// An ended call that was not sampled at its start, and may be exported nevertheless.
struct LateCall: LateSpan {
    let call: EndedCall
    /// That of the caller; nil without one.
    let context: TraceContext?
    let state: String
    /// Nanoseconds since 1970 at the zero of the loop's clock.
    let wall: UInt64

    func span(of trace: TraceID, _ id: SpanID, _ reason: LateReason) -> TraceSpan {
        let context = TraceContext(
            traceID: context?.traceID ?? trace, spanID: id, flags: context?.flags ?? .random)
        return call.span(
            context, parent: self.context?.spanID, state: state, late: reason.rawValue, wall: wall)
    }
}
