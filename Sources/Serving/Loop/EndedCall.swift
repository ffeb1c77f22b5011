internal import GRPCWire
internal import Observability
internal import Traces
internal import Transport

/// An ended call that has a span, or may get one.
struct EndedCall {
    let record: CallRecord
    /// The method as spans name it.
    let method: String
    /// The value of `:authority`; empty without one.
    let authority: String

    func span(
        _ context: TraceContext, parent: SpanID?, state: String, links: [TraceSpan.Link] = [],
        late: LateReason? = nil
    ) -> TraceSpan {
        var attributes = record.attributes
        attributes.append(Attribute("rpc.method", method))
        attributes += Attribute.address("server", authority)
        attributes += Attribute.address("network.peer", record.peer)
        if let late {
            attributes.append(Attribute("sampled", "late"))
            attributes.append(Attribute("weir.late", late.rawValue))
        }
        return TraceSpan(
            context, parent: parent, parentIsRemote: parent != nil, state: state, name: method,
            kind: record.isShadow ? .internal : .server,
            startedAt: record.endedAt &- record.phases.total, endedAt: record.endedAt,
            status: Self.status(record.code, record.message), attributes: attributes, links: links)
    }

    /// The statuses that rollouts judge as failures are errors of spans too.
    static func status(_ code: StatusCode, _ message: String) -> TraceSpan.Status {
        code.isServerFault ? .error(CallRecord.kept(message)) : .unset
    }
}

/// Why a call is exported that was not sampled at its start.
enum LateReason: String {
    case failed, slow, differed
}

/// An ended call that was not sampled at its start, and may be exported nevertheless.
struct LateCall {
    let call: EndedCall
    /// The value of the caller's `tracestate`.
    let state: String

    /// - Parameter trace: for a call without a trace of its caller.
    func span(
        of trace: @autoclosure () -> TraceID, _ id: SpanID, _ reason: LateReason
    ) -> TraceSpan {
        let caller = call.record.trace
        let context = TraceContext(
            traceID: caller?.traceID ?? trace(), spanID: id, flags: caller?.flags ?? .random)
        return call.span(context, parent: caller?.spanID, state: state, late: reason)
    }
}
