public import GRPCWire
package import Messages
internal import TrafficPolicy

extension WeirControl {
    /// A named implementation that answers requests.
    public struct Backend: Sendable {
        /// Its name.
        public let name: String
        /// Of an upstream.
        public let addresses: [String]
        /// Of a worker.
        public let command: [String]
        /// Endpoints whose traffic or shadows name it.
        public let endpoints: [String]
        /// Whether it can be expected to answer, as the server that was asked sees it.
        public let isUsable: Bool
        /// Why not, if not.
        public let problem: String

        init(_ message: Weir_Admin_V1_Backend) {
            name = message.name
            addresses =
                if case .upstream(let upstream) = message.kind { upstream.addresses } else { [] }
            command = if case .worker(let worker) = message.kind { worker.command } else { [] }
            endpoints = message.endpoints
            isUsable = message.status?.usable ?? true
            problem = message.status?.problem ?? ""
        }
    }

    /// A named entry point with its policy.
    public struct Endpoint: Sendable {
        /// Its name.
        public let name: String
        /// Empty for one that only handles reach.
        public let route: String
        /// The weight of each backend; they sum to 1.
        public let traffic: [String: Double]
        /// The share of requests that is copied to each.
        public let shadows: [String: Double]
        /// The revision of its latest change.
        public let revision: UInt64
        private let intervals: [Weir_Admin_V1_Interval]

        package init(_ message: Weir_Admin_V1_Endpoint) {
            name = message.name
            route = message.route
            traffic = Dictionary(
                message.weights.map { ($0.backend, $0.weight) }, uniquingKeysWith: { $1 })
            shadows = Dictionary(
                message.shadows.map { ($0.backend, $0.proportion) }, uniquingKeysWith: { $1 })
            revision = message.revision
            intervals = message.intervals
        }

        /// Where a shard key lies: `XXH64(key, XXH64(endpoint, 0))`.
        public func point(of shardKey: String) -> UInt64 {
            KeyHash.hash(shardKey, seed: KeyHash.hash(name, seed: 0))
        }

        /// The backend that a shard key has, computed here, as of this revision; nil for an empty
        /// key, which is no key.
        public func explain(_ shardKey: String) -> String? {
            guard !shardKey.isEmpty else { return nil }
            let point = point(of: shardKey)
            return intervals.last { $0.start <= point }?.backend
        }
    }

    /// What `setTraffic` did, or with `validateOnly` would do.
    public struct TrafficChange: Sendable {
        /// The endpoint after it.
        public let endpoint: Endpoint
        /// The share, 0 to 1, of all shard keys whose backend changes.
        public let movedShare: Double
        /// The revision that it made.
        public let revision: UInt64
        /// What speaks against it, for people.
        public let warnings: [String]

        init(_ message: Weir_Admin_V1_SetTrafficResponse) {
            endpoint = Endpoint(message.endpoint ?? .init())
            movedShare = message.movedShare
            revision = message.revision
            warnings = message.warnings
        }
    }

    /// Which endpoint and backend a request gets, and why.
    public struct Explanation: Sendable {
        /// The endpoint's name.
        public let endpoint: String
        /// Nil without a shard key: the weights decide by chance.
        public let backend: String?
        /// The same in words.
        public let text: String

        init(_ message: Weir_Admin_V1_ExplainRouteResponse) {
            endpoint = message.endpoint
            backend = message.backend.isEmpty ? nil : message.backend
            text = message.explanation
        }
    }

    /// What one backend did for one endpoint.
    public struct BackendStats: Sendable {
        /// The endpoint's name.
        public let endpoint: String
        /// The backend's name.
        public let backend: String
        /// Whether these were copies.
        public let isShadow: Bool
        /// Requests that have begun.
        public let requests: UInt64
        /// Requests by the name of the gRPC status that they ended with.
        public let statuses: [String: UInt64]
        /// Microseconds from the complete request headers to the end of the response: the median
        /// and the 99th percentile.
        public let p50Microseconds, p99Microseconds: Double

        init(_ message: Weir_Admin_V1_BackendStats) {
            endpoint = message.endpoint
            backend = message.backend
            isShadow = message.shadow
            requests = message.requests
            statuses = Dictionary(
                message.statuses.map { ($0.name, $0.count) }, uniquingKeysWith: { $1 })
            p50Microseconds = message.latency?.p50Us ?? 0
            p99Microseconds = message.latency?.p99Us ?? 0
        }
    }

    /// How a shadow did, as the server that was asked has seen it.
    public struct ShadowReport: Sendable {
        /// The shadow's backend.
        public let backend: String
        /// What it comes to, as a sentence.
        public let verdict: String
        /// Pairs of answers that were compared, and those that differed.
        public let compared, differing: UInt64
        /// The fields that differ, most often first, each with the share of answers.
        public let fields: [(field: String, share: Double)]

        init(_ message: Weir_Admin_V1_ShadowReport) {
            backend = message.backend
            verdict = message.explanation
            compared = message.compared
            differing = message.differing
            fields = message.fields.map { ($0.field, $0.share) }
        }
    }

    /// An accepted change.
    public struct Revision: Sendable {
        /// Its number.
        public let revision: UInt64
        /// When it was made: seconds since 1970.
        public let time: Double
        /// Who made it.
        public let author: String
        /// Why.
        public let comment: String
        /// What changed, in a few words.
        public let summary: String

        init(_ message: Weir_Admin_V1_Revision) {
            revision = message.revision
            time = Double(message.time?.seconds ?? 0) + Double(message.time?.nanos ?? 0) / 1e9
            author = message.author
            comment = message.comment
            summary = message.summary
        }
    }
}

extension RPCError {
    /// The field of the request that is wrong, where the server says so.
    public var field: String? {
        for detail in details {
            if let bad = unpacked(detail, Google_Rpc_BadRequest.self) {
                return bad.fieldViolations.first?.field
            }
            if let info = unpacked(detail, Google_Rpc_ErrorInfo.self) {
                return info.metadata["field"]
            }
        }
        return nil
    }

    /// The rule that refused it, `REVISION_CONFLICT` for example, where there is one.
    public var reason: String? {
        details.lazy.compactMap { unpacked($0, Google_Rpc_ErrorInfo.self)?.reason }.first
    }

    private var details: [Google_Protobuf_Any] {
        guard let packed = metadata.bytes("grpc-status-details-bin").first,
            let status = try? Google_Rpc_Status(serializedBytes: packed)
        else { return [] }
        return status.details
    }

    private func unpacked<Message: ProtobufMessage>(
        _ detail: Google_Protobuf_Any, _ type: Message.Type
    ) -> Message? {
        guard let name = type.messageName, detail.typeUrl.hasSuffix("/\(name)") else { return nil }
        return try? Message(serializedBytes: detail.value)
    }
}
