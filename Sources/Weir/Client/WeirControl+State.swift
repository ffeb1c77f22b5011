internal import GRPCWire
internal import Messages

extension WeirControl {
    /// What a change of the whole state does to a backend or an endpoint.
    public struct ObjectChange: Sendable {
        /// What happens to the object.
        public enum Action: Sendable {
            case add, change, remove
        }

        /// What happens to the object; nil for an action that this version does not know.
        public let action: Action?
        /// `backend` or `endpoint`.
        public let kind: String
        /// The name of the object.
        public let name: String
        /// The share of the endpoint's shard keys whose backend changes, 0 to 1.
        public let movedShare: Double

        init(_ message: Weir_Admin_V1_ObjectChange) {
            action =
                switch message.action {
                case .add: .add
                case .change: .change
                case .remove: .remove
                default: nil
                }
            kind = message.kind
            name = message.name
            movedShare = message.movedShare
        }
    }

    /// The effect of `apply`; with `validateOnly`, the effect that it would have.
    public struct StateChange: Sendable {
        /// The changed objects, sorted by kind and name; empty if nothing differs.
        public let changes: [ObjectChange]
        /// The revision of the state after the change.
        public let revision: UInt64
        /// Warnings, for operators to read.
        public let warnings: [String]
    }

    /// How Weir compares the responses of an endpoint's shadows.
    public struct ShadowComparison: Sendable {
        /// The largest difference of two numbers that counts as equal.
        public enum Tolerance: Sendable {
            /// An amount.
            case absolute(Double)
            /// A share of the larger number.
            case relative(Double)
        }

        /// Fields to ignore, as paths: `items.price`.
        public var ignoredFields: [String] = []
        /// Fields with numbers that may differ.
        public var tolerances: [String: Tolerance] = [:]
        /// Fields whose values Weir does not keep.
        public var redactedFields: [String] = []
        /// Metadata whose values Weir does not keep, in addition to credentials.
        public var redactedMetadata: [String] = []
        /// The share of copied requests that Weir sends to the primary a second time, 0 to 1.
        public var noiseProportion = 0.0
        /// The share of responses that may differ; nil for the default of the server.
        public var allowedShare: Double?

        /// Rules that compare all fields.
        public init() {}

        fileprivate var message: Weir_Admin_V1_ShadowComparison {
            .init(
                ignoredFields: ignoredFields,
                tolerances: tolerances.sorted { $0.key < $1.key }.map { field, tolerance in
                    switch tolerance {
                    case .absolute(let amount): .init(field: field, absolute: amount)
                    case .relative(let share): .init(field: field, relative: share)
                    }
                },
                redactedFields: redactedFields, redactedMetadata: redactedMetadata,
                noiseProportion: noiseProportion, allowedShare: allowedShare)
        }
    }

    private static let configuration = "weir.admin.v1.Configuration"

    private static func transcoder() throws(MessageError) -> JSONTranscoder {
        var schema = Schema()
        try schema.add(Weir_Admin_V1_AdminProto.file)
        return JSONTranscoder(schema: schema)
    }

    /// The whole state, or that of an earlier revision, as JSON for `apply`.
    public func export(revision: UInt64? = nil) async throws -> String {
        let reply = try await stub.getRevision(
            .init(revision: revision ?? 0), Self.callOptions)
        let state = reply.configuration ?? .init()
        return try Self.transcoder().json(
            from: try state.serializedBytes(), message: Self.configuration
        ).text()
    }

    /// Replaces the whole state in one change. Throws FAILED_PRECONDITION if the configuration does
    /// not contain all backends and endpoints, and ABORTED if another change is made at the same
    /// time.
    ///
    /// - Parameters:
    ///   - configuration: JSON with the names of the files of `weir apply`. The call throws
    ///     INVALID_ARGUMENT for other text.
    ///   - prune: whether to delete the backends and endpoints that the configuration does not
    ///     contain.
    ///   - options: those of every change.
    @discardableResult
    public func apply(
        _ configuration: String, prune: Bool = false, _ options: ChangeOptions = ChangeOptions()
    ) async throws -> StateChange {
        let state = try Self.state(configuration)
        guard !prune, !options.validateOnly else { return try await apply(state, options) }
        var planning = options
        planning.validateOnly = true
        let plan = try await apply(state, planning)
        let removed = plan.changes.filter { $0.action == .remove }
        guard removed.isEmpty else {
            let names = removed.map { "\($0.kind) \($0.name.quoted)" }.joined(separator: ", ")
            throw RPCError(
                .failedPrecondition,
                "nothing has changed: the configuration does not name \(names); prune: true "
                    + "removes them")
        }
        guard !plan.changes.isEmpty, plan.revision > 0 else { return plan }
        var applying = options
        // The revision of a plan is the one that it would create.
        applying.expectedRevision = options.expectedRevision ?? plan.revision - 1
        return try await apply(state, applying)
    }

    private static func state(_ configuration: String) throws -> Weir_Admin_V1_Configuration {
        do throws(MessageError) {
            let json = try JSONValue(parsing: configuration)
            let transcoder = try transcoder()
            return try .init(
                serializedBytes: try transcoder.bytes(from: json, message: Self.configuration))
        } catch {
            throw RPCError(.invalidArgument, "invalid configuration: \(error)")
        }
    }

    private func apply(
        _ state: Weir_Admin_V1_Configuration, _ options: ChangeOptions
    ) async throws -> StateChange {
        let reply = try await stub.apply(
            .init(
                configuration: state, expectedRevision: options.expectedRevision,
                validateOnly: options.validateOnly, note: note(options)), Self.callOptions)
        return StateChange(
            changes: reply.changes.map(ObjectChange.init), revision: reply.revision,
            warnings: reply.warnings)
    }

    /// Limits the requests per second of an endpoint; nil removes the limit. The burst is the
    /// number of requests at once; 0 for those of one second.
    @discardableResult
    public func setRateLimit(
        _ endpoint: String, requestsPerSecond: Double?, burst: Int = 0,
        _ options: ChangeOptions = ChangeOptions()
    ) async throws -> Endpoint {
        let limit = requestsPerSecond.map {
            Weir_Admin_V1_RateLimit(requestsPerSecond: $0, burst: UInt32(clamping: burst))
        }
        let changed = try await stub.setRateLimit(
            .init(
                endpoint: endpoint, rateLimit: limit, expectedRevision: options.expectedRevision,
                validateOnly: options.validateOnly, note: note(options)), Self.callOptions)
        return Endpoint(changed)
    }

    /// Replaces the rules that compare the responses of an endpoint's shadows.
    @discardableResult
    public func setShadowComparison(
        _ endpoint: String, _ comparison: ShadowComparison,
        _ options: ChangeOptions = ChangeOptions()
    ) async throws -> Endpoint {
        let changed = try await stub.setShadowComparison(
            .init(
                endpoint: endpoint, comparison: comparison.message,
                expectedRevision: options.expectedRevision, validateOnly: options.validateOnly,
                note: note(options)), Self.callOptions)
        return Endpoint(changed)
    }

    /// Resets the reports of an endpoint's shadows, or of one of them.
    public func resetShadowReport(_ endpoint: String, backend: String = "") async throws {
        _ = try await stub.resetShadowReport(
            .init(endpoint: endpoint, backend: backend), Self.callOptions)
    }
}
