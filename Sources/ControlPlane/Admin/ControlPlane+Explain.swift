internal import Messages
internal import Serving
internal import TrafficPolicy

extension ControlPlane {
    /// Which backend a request gets, and why.
    func explain(
        path text: String, shardKey: [UInt8]
    ) throws(ControlError) -> Weir_Admin_V1_ExplainRouteResponse {
        guard let path = MethodPath(text) else {
            throw .invalid("path", "'\(text)' is no gRPC path: it must be /pkg.Service/Method")
        }
        guard let routed = snapshot.endpoint(for: path),
            let endpoint = state.endpoints[routed.name]
        else { throw .noRoute(text) }
        let policy = routed.policy
        var answer = Weir_Admin_V1_ExplainRouteResponse(
            endpoint: endpoint.name, route: endpoint.route.description,
            weights: Weir_Admin_V1_Endpoint(endpoint).weights, revision: state.revision)
        answer.shadows = endpoint.shadows.enumerated().map { index, shadow in
            .init(
                backend: shadow.backend, proportion: shadow.proportion,
                copied: shardKey.isEmpty
                    ? nil : policy.isShadowed(index, key: shardKey.rawSpan))
        }
        let matched = "\(path) is taken by endpoint '\(endpoint.name)' (route \(endpoint.route))."
        guard !shardKey.isEmpty else {
            let shares = endpoint.weights.weights.map { "\($0.backend) with \($0.weight)" }
            answer.explanation =
                "\(matched) Without a shard key each request draws a backend by weight: "
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
            "\(matched) The shard key hashes to point \(Self.hex(point)), which lies in the interval "
            + "\(Self.hex(answer.intervalFirst)) to \(Self.hex(answer.intervalLast)) of "
            + "'\(answer.backend)'; it stays there until a change of weights moves that interval."
        return answer
    }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return "0x" + String(repeating: "0", count: 16 - digits.count) + digits
    }
}
