package import GRPCWire
package import Traces

extension CallRecord {
    /// What the span and the log record of the call state alike, without the method and the
    /// addresses.
    package var attributes: [Attribute] {
        var attributes = Self.attributes(form, code)
        for (name, text) in [
            ("weir.endpoint", endpoint), ("weir.backend", backend), ("weir.replica", replica),
        ] where !text.isEmpty {
            attributes.append(Attribute(name, text))
        }
        if revision > 0 { attributes.append(Attribute("weir.revision", Int(clamping: revision))) }
        if attempts > 0 { attributes.append(Attribute("weir.attempts", attempts)) }
        if isShadow { attributes.append(Attribute("weir.shadow", true)) }
        if let shardPoint { attributes.append(.shardPoint(shardPoint)) }
        if let isCandidate {
            attributes.append(Attribute("weir.rollout", isCandidate ? "candidate" : "baseline"))
        }
        return attributes
    }

    /// What every span of a call states about its status; `error.type` only for a failure.
    package static func attributes(_ form: Form, _ code: StatusCode) -> [Attribute] {
        let system = form == .connect ? "connectrpc" : "grpc"
        let status = code.counted.description
        return [Attribute("rpc.system.name", system), Attribute("rpc.status_code", status)]
            + (code.isServerFault ? [Attribute("error.type", status)] : [])
    }
}
