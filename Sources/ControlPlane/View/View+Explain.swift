internal import GRPCWire
internal import Messages
internal import Serving
internal import TrafficPolicy

extension ControlPlane.View {
    /// The backend of a request, and the reason.
    func explain(
        path: String, endpoint name: String, shardKey: [UInt8]
    ) throws(ControlError) -> Weir_Admin_V1_ExplainRouteResponse {
        let (endpoint, matched) = try endpoint(for: path, named: name)
        let policy = endpoint.policy
        var answer = Weir_Admin_V1_ExplainRouteResponse(
            endpoint: endpoint.name, route: endpoint.route.description,
            weights: Weir_Admin_V1_Endpoint(endpoint).weights, revision: state.revision)
        answer.shadows = endpoint.shadows.enumerated().map { index, shadow in
            .init(
                backend: shadow.backend, proportion: shadow.proportion,
                copied: shardKey.isEmpty
                    ? nil : policy.isShadowed(index, key: shardKey.rawSpan))
        }
        guard !shardKey.isEmpty else {
            let shares = endpoint.weights.weights.map { "\($0.backend)=\($0.weight)" }
            answer.explanation =
                "\(matched) Without a shard key, Weir chooses each request's backend at random, "
                + "by weight: "
                + shares.joined(separator: ", ") + "."
            return answer
        }
        let point = policy.point(of: shardKey.rawSpan)
        let intervals = endpoint.map.intervals
        let index = intervals.lastIndex { $0.start <= point } ?? 0
        answer.point = point
        answer.intervalFirst = intervals[index].start
        answer.intervalLast =
            index + 1 < intervals.count ? intervals[index + 1].start - 1 : UInt64.max
        answer.backend = policy.backends[policy.choose(point)]
        answer.explanation =
            "\(matched) The shard key hashes to point \(Self.hex(point)), which lies in the "
            + "interval "
            + "\(Self.hex(answer.intervalFirst)) to \(Self.hex(answer.intervalLast)) of "
            + "'\(answer.backend)'. It stays there until a change of weights moves that interval."
        return answer
    }

    /// The endpoint that a request reaches, and the reason as a sentence.
    private func endpoint(
        for path: String, named name: String
    ) throws(ControlError) -> (ControlState.Endpoint, String) {
        guard path.isEmpty else {
            guard path.hasPrefix("/") else {
                throw .invalid("path", "invalid path \(path.quoted): it must begin with a slash")
            }
            let routed =
                MethodPath(path).flatMap { routing.endpoint(for: $0) }
                ?? routing.endpoint(forPlainHTTP: path.prefix { $0 != "?" })
            guard let routed, let endpoint = state.endpoints[routed.name] else {
                throw .noRoute(path)
            }
            return (
                endpoint,
                "\(path) matches endpoint '\(endpoint.name)' (route \(endpoint.route))."
            )
        }
        guard !name.isEmpty else { throw .invalid("path", "set path or endpoint") }
        return (try state.existingEndpoint(name), "Endpoint '\(name)' is called by name.")
    }

    private static func hex(_ value: UInt64) -> String { "0x" + value.padded(16, radix: 16) }
}
