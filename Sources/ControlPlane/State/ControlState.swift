internal import GRPCWire
package import Messages
package import Serving
package import TrafficPolicy
package import Transport
package import Upstream

/// The control state: all backends and endpoints as one value, with a revision.
///
/// The changes are in `ControlState+Backends.swift`, `ControlState+Endpoints.swift`,
/// `ControlState+Configuration.swift` and `ControlState+Rollback.swift`. Each checks everything
/// before it changes anything. They change a copy; the difference becomes a `StateDelta`, which is
/// stored and then applied to the served state.
package struct ControlState: Sendable {
    /// The number of earlier affinity maps of an endpoint. A change to earlier weights restores
    /// their map.
    package static let keptMaps = 64
    /// The most shadows of one endpoint.
    package static let maxShadows = 32

    /// A named implementation.
    package struct Backend: Sendable {
        package enum Kind: Sendable, Equatable {
            /// A handler, by the name under which the program registered it.
            case handler(String)
            /// gRPC servers that Weir does not start.
            case upstream([ReplicaAddress], ClientTLS?)
            /// Processes that Weir starts.
            case worker(WorkerSpec)
        }

        package let name: String
        package var kind: Kind
        package var description = ""
        /// The options of its replicas; a handler ignores them.
        package var options = BackendOptions()
        /// A serialized `FileDescriptorSet` for reflection; empty for a handler, which has its own.
        package var descriptorSet: [UInt8] = []
        /// The program that serves an upstream and holds a lease on it; nil if no program does.
        package var lease: Lease?
        /// The revision of its latest change.
        package var revision: UInt64 = 0

        package init(name: String, kind: Kind, description: String = "") {
            self.name = name
            self.kind = kind
            self.description = description
        }

        /// Whether it is an upstream or a worker backend.
        var hasReplicas: Bool { if case .handler = kind { false } else { true } }
    }

    /// A backend that receives copies of a share of an endpoint's requests.
    package struct Shadow: Sendable, Equatable {
        /// The settings besides the proportion.
        package struct Options: Sendable, Equatable {
            package var limits = ShadowLimits()
            /// Whether Weir also copies the requests that the backend itself answers.
            package var includesOwn = false

            package init() {}
        }

        package let backend: String
        package let proportion: Double
        package var options = Options()
    }

    /// How Weir compares the responses of an endpoint's shadows with those of its callers.
    package struct Comparison: Sendable, Equatable {
        package var ignoredFields: [String] = []
        package var tolerances: [String: DiffRules.Tolerance] = [:]
        package var redactedFields: [String] = []
        package var redactedMetadata: [String] = []
        /// The share of copied requests that Weir also copies to the backend that answers the
        /// caller.
        package var noiseProportion = 0.0
        /// The share of responses that may differ in a good report.
        package var allowedShare = 0.001

        package init() {}

        /// Whether both find the same differences and redact the same values.
        func hasSameRules(as other: Comparison) -> Bool {
            var same = other
            same.noiseProportion = noiseProportion
            same.allowedShare = allowedShare
            return same == self
        }
    }

    /// The most requests per second of an endpoint.
    package struct RateLimit: Sendable, Equatable {
        /// Above 0.
        package let requestsPerSecond: Double
        /// Requests that are accepted at once, at least 1.
        package let burst: Int
    }

    /// A named entry point with its policy.
    package struct Endpoint: Sendable {
        package let name: String
        package var route: Route
        package var weights: TrafficWeights
        package var map: AffinityMap
        /// Earlier maps, oldest first. Only `ControlState.apply` adds to them.
        package internal(set) var history: [AffinityMap] = []
        /// Sorted by backend.
        package var shadows: [Shadow] = []
        package var comparison = Comparison()
        /// Nil for no limit.
        package var rateLimit: RateLimit?
        /// The latest rollout; nil if it never had one.
        package internal(set) var rollout: Rollout?
        /// Set while the weights will revert.
        var timeBox: TimedChange?
        /// The methods of plain HTTP requests that it accepts.
        package var methods = HTTPMethods.all
        /// Nil if scripts of other origins may not call it.
        package var cors: CORSPolicy?
        /// Where requests that are not gRPC have their shard key.
        package var httpShardKey: HTTPShardKey?
        /// The revision of its latest change.
        package var revision: UInt64 = 0

        /// The policy for the data plane.
        package var policy: EndpointPolicy {
            EndpointPolicy(
                endpoint: name, map: map, shadows: shadows.map { ($0.backend, $0.proportion) })
        }

        func names(_ backend: String) -> Bool {
            weights.weights.contains { $0.backend == backend }
                || shadows.contains { $0.backend == backend }
        }
    }

    package internal(set) var revision: UInt64 = 0
    package internal(set) var backends: [String: Backend] = [:]
    package internal(set) var endpoints: [String: Endpoint] = [:]
    /// Nil without one. It may have ended by itself: see `freeze(at:)`.
    package internal(set) var freeze: Freeze?

    package init() {}

    /// A state from a store.
    init(revision: UInt64, backends: [Backend], endpoints: [Endpoint], freeze: Freeze?) {
        self.revision = revision
        self.freeze = freeze
        self.backends.reserveCapacity(backends.count)
        for backend in backends { self.backends[backend.name] = backend }
        for endpoint in endpoints { self.endpoints[endpoint.name] = endpoint }
    }

    /// The revision of the next change.
    var nextRevision: UInt64 { revision + 1 }

    /// Names of the endpoints whose policy or shadow names a backend, sorted.
    package func endpoints(naming backend: String) -> [String] {
        endpoints.values.filter { $0.names(backend) }.map(\.name).sorted()
    }

    static func check(name: String, field: String) throws(ControlError) {
        let isValid =
            (1...128).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                (97...122).contains($0) || (65...90).contains($0) || $0.isDigit
                    || $0 == 45 || $0 == 46 || $0 == 58 || $0 == 95
            }
        guard isValid else {
            throw .invalid(
                field,
                "invalid name \(name.quoted): use 1 to 128 of the characters a-z A-Z 0-9 . _ : -")
        }
    }

    /// A backend by its name; throws NOT_FOUND if it does not exist.
    ///
    /// - Parameter field: the field that contains the name.
    func existingBackend(_ name: String, field: String? = nil) throws(ControlError) -> Backend {
        guard let backend = backends[name] else {
            throw .notFound(.backend, name, known: backends.keys.sorted(), field: field)
        }
        return backend
    }

    /// An endpoint by its name; throws NOT_FOUND if it does not exist.
    func existingEndpoint(_ name: String) throws(ControlError) -> Endpoint {
        guard let endpoint = endpoints[name] else {
            throw .notFound(.endpoint, name, known: endpoints.keys.sorted())
        }
        return endpoint
    }
}
