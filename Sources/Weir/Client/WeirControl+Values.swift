public import GRPCWire
package import Messages
internal import TrafficPolicy

extension WeirControl {
    /// A named implementation that answers requests.
    public struct Backend: Sendable {
        /// Its name.
        public let name: String
        /// The addresses of an upstream; empty for other kinds.
        public let addresses: [String]
        /// The command of a worker; empty for other kinds.
        public let command: [String]
        /// The endpoints whose traffic policy or shadows use the backend.
        public let endpoints: [String]
        /// Whether the backend is expected to answer, as seen by the server that was called.
        public let isUsable: Bool
        /// Why the backend is not usable; empty if it is.
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
        /// The route; empty if clients call the endpoint only by name.
        public let route: String
        /// The weight of each backend; they sum to 1.
        public let traffic: [String: Double]
        /// The share of requests that Weir copies to each shadow.
        public let shadows: [String: Double]
        /// The revision of the latest change of the endpoint.
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

        /// The point of a shard key: `XXH64(key, XXH64(endpoint, 0))`.
        public func point(of shardKey: String) -> UInt64 {
            KeyHash.hash(shardKey, seed: KeyHash.hash(name, seed: 0))
        }

        /// Computes locally the backend of a shard key at this revision. Returns nil for an empty
        /// key, which counts as no key.
        public func explain(_ shardKey: String) -> String? {
            guard !shardKey.isEmpty else { return nil }
            let point = point(of: shardKey)
            return intervals.last { $0.start <= point }?.backend
        }
    }

    /// The effect of `setTraffic`; with `validateOnly`, the effect that it would have.
    public struct TrafficChange: Sendable {
        /// The endpoint after the change.
        public let endpoint: Endpoint
        /// The share of all shard keys whose backend changes, 0 to 1.
        public let movedShare: Double
        /// The revision that the change created.
        public let revision: UInt64
        /// Warnings, for operators to read.
        public let warnings: [String]

        init(_ message: Weir_Admin_V1_SetTrafficResponse) {
            endpoint = Endpoint(message.endpoint ?? .init())
            movedShare = message.movedShare
            revision = message.revision
            warnings = message.warnings
        }
    }

    /// The endpoint and the backend of a request, and the reason.
    public struct Explanation: Sendable {
        /// The endpoint's name.
        public let endpoint: String
        /// The backend; nil without a shard key, because Weir then selects at random.
        public let backend: String?
        /// The explanation as text.
        public let text: String

        init(_ message: Weir_Admin_V1_ExplainRouteResponse) {
            endpoint = message.endpoint
            backend = message.backend.isEmpty ? nil : message.backend
            text = message.explanation
        }
    }

    /// The figures of one backend of one endpoint.
    public struct BackendStats: Sendable {
        /// The endpoint's name.
        public let endpoint: String
        /// The backend's name.
        public let backend: String
        /// Whether the requests were copies.
        public let isShadow: Bool
        /// The number of started requests.
        public let requests: UInt64
        /// The number of finished requests by the name of their gRPC status.
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

    /// The report of a shadow, as seen by the server that was called.
    public struct ShadowReport: Sendable {
        /// The shadow's backend.
        public let backend: String
        /// The verdict as a sentence.
        public let verdict: String
        /// The number of compared pairs of responses, and of those that differed.
        public let compared, differing: UInt64
        /// The fields that differ, most frequent first, each with its share of responses.
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
        /// The number of the revision.
        public let revision: UInt64
        /// The time of the change, in seconds since 1970.
        public let time: Double
        /// The author of the change.
        public let author: String
        /// The reason for the change.
        public let comment: String
        /// A short summary of the change.
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
    /// The invalid field of the request; nil if the server does not report one.
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

    /// The rule that rejected the request, for example `REVISION_CONFLICT`; nil if the server does
    /// not report one.
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
