internal import GRPCWire
package import Messages
package import Serving
package import TrafficPolicy
package import Transport
package import Upstream

/// All that the control plane decides: a value, changed as a whole, numbered by its revision.
///
/// The changes are in `ControlState+Backends.swift`, `ControlState+Endpoints.swift`,
/// `ControlState+Apply.swift` and `ControlState+Rollback.swift`; each checks everything before it
/// changes anything. They work on a copy; what they did is then found out as a `StateDelta`,
/// stored, and applied to the state that counts.
package struct ControlState: Sendable {
    /// How many earlier affinity maps an endpoint keeps, so that going back to its weights restores
    /// them.
    package static let keptMaps = 64
    /// Shadows of one endpoint.
    package static let maxShadows = 32

    /// A named implementation.
    package struct Backend: Sendable {
        package enum Kind: Sendable, Equatable {
            /// Swift code, by the name under which the program registered it.
            case handler(String)
            /// gRPC servers that run by themselves.
            case upstream([ReplicaAddress], ClientTLS?)
            /// Processes that Weir runs.
            case worker(WorkerSpec)
        }

        package let name: String
        package var kind: Kind
        package var description = ""
        /// How its replicas are treated; of no meaning for a handler.
        package var options = BackendOptions()
        /// A serialized `FileDescriptorSet` for reflection; handlers bring their own.
        package var descriptorSet: [UInt8] = []
        /// The revision of its latest change.
        package var revision: UInt64 = 0

        package init(name: String, kind: Kind, description: String = "") {
            self.name = name
            self.kind = kind
            self.description = description
        }

        /// Whether it is more than Swift code in this process.
        var hasReplicas: Bool { if case .handler = kind { false } else { true } }
    }

    /// A share of an endpoint's requests that is copied.
    package struct Shadow: Sendable, Equatable {
        /// The settings that an operator can choose beside the proportion.
        package struct Options: Sendable, Equatable {
            package var limits = ShadowLimits()
            /// Whether requests that the backend itself answers are copied to it too.
            package var includesOwn = false

            package init() {}
        }

        package let backend: String
        package let proportion: Double
        package var options = Options()
    }

    /// How the answers of an endpoint's shadows are compared with those of its callers.
    package struct Comparison: Sendable, Equatable {
        package var ignoredFields: [String] = []
        package var tolerances: [String: DiffRules.Tolerance] = [:]
        package var redactedFields: [String] = []
        package var redactedMetadata: [String] = []
        /// The share of copied requests that goes to the caller's own backend a second time.
        package var noiseProportion = 0.0
        /// The share of answers that may differ in a good report.
        package var allowedShare = 0.001

        package init() {}

        /// Whether the same answers differ in the same fields by both, and the same is kept of
        /// them.
        func judgesLike(_ other: Comparison) -> Bool {
            var same = other
            same.noiseProportion = noiseProportion
            same.allowedShare = allowedShare
            return same == self
        }
    }

    /// How many requests an endpoint takes.
    package struct RateLimit: Sendable, Equatable {
        /// Above 0.
        package let requestsPerSecond: Double
        /// Requests that may come at once, at least 1.
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
        /// Nil for an endpoint that takes all requests.
        package var rateLimit: RateLimit?
        /// The revision of its latest change.
        package var revision: UInt64 = 0

        /// What the data plane decides by.
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

    package init() {}

    /// A state as it was kept.
    init(revision: UInt64, backends: [Backend], endpoints: [Endpoint]) {
        self.revision = revision
        self.backends.reserveCapacity(backends.count)
        for backend in backends { self.backends[backend.name] = backend }
        for endpoint in endpoints { self.endpoints[endpoint.name] = endpoint }
    }

    /// The revision that a change makes.
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
                    || $0 == 45 || $0 == 46 || $0 == 95
            }
        guard isValid else {
            throw .invalid(
                field,
                "invalid name \(name.quoted): use 1 to 128 of the characters a-z A-Z 0-9 . _ -")
        }
    }

    /// - Parameter field: where the name was given.
    func known(backend name: String, field: String? = nil) throws(ControlError) -> Backend {
        guard let backend = backends[name] else {
            throw .notFound(.backend, name, known: backends.keys.sorted(), field: field)
        }
        return backend
    }

    func known(endpoint name: String) throws(ControlError) -> Endpoint {
        guard let endpoint = endpoints[name] else {
            throw .notFound(.endpoint, name, known: endpoints.keys.sorted())
        }
        return endpoint
    }
}
