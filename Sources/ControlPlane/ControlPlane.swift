internal import GRPCWire
package import Logging
internal import Messages
package import Serving
package import StateStores
internal import TrafficPolicy
internal import Transport
internal import Upstream

/// The one place where the control state changes: checks a change, stores it, has every loop of
/// the data plane use it, and notifies the watchers. In this order, one change at a time.
///
/// ```
///   admin RPC -> change(state) -> store.append -> dataPlane.publish -> watchers, answer
///                   | refused        | failed: nothing has changed
///                   '-- another server was first: catch up with the store, and try again
/// ```
///
/// `ControlPlane+Store.swift` follows the store, `ControlPlane+Loss.swift` serves without it,
/// `ControlPlane+Changes.swift` has the changes that can be asked for, `ControlPlane+History.swift`
/// those that go by whole states.
package actor ControlPlane {
    /// Its work must not hold up the loops, on which the handlers of the admin service run.
    private let thread = ActorThread()
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe thread.asUnownedSerialExecutor()
    }

    package let dataPlane: DataPlane
    let access: Access
    let adminHosts: AdminHosts
    package let health: HealthBoard
    package let reflection: ReflectionBoard
    /// Where the state is kept; what it holds is read by `start`.
    private(set) var store: any StateStore = MemoryStore()
    let startedAt = ContinuousClock.now
    let log: Logger
    /// Lines of the log that were lost; nil if that is not known.
    let lostLogLines: (@Sendable () -> UInt64)?
    /// The Swift code that backends can be made of, by name.
    let registered: [String: HandlerBackend]
    let bounds: HistoryBounds

    /// What is served, and how it came about. Follows the store.
    var history = StateHistory()
    /// The clock of the revisions' times.
    var clock = WallClock()
    /// Why changes are refused; nil while they are not.
    var storeProblem: StoreProblem?
    var problemReports = StoreProblemReports()
    /// The copy of a shared state on this machine; nil without one.
    var copy: StateCopy?
    /// Whether a copy should be kept, but cannot be opened.
    private(set) var lacksCopy = false
    /// Whether each registered handler has had a backend since the start.
    var hasRegisteredHandlers = false
    /// This server, as the others who share the store see it; nil until it listens.
    var instance: Weir_Admin_V1_Instance?
    let watchers = Watchers()
    /// What the data plane routes by.
    private(set) var snapshot = RoutingSnapshot.empty
    /// The backends of replicas, as they run here.
    private(set) var running: RunningBackends
    /// What the shadows of the endpoints use, and have found.
    private(set) var shadows = RunningShadows()
    /// The revision of the latest change of any backend.
    private var backendsRevision: UInt64 = 0
    /// The description of all backends' services, for reflection.
    private var schema = ControlPlane.standardSchema
    /// One change at a time goes through, in order; the actor alone would interleave them at each
    /// `await`.
    private var isChanging = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    /// Says when a backend has become usable or stopped being so.
    private let availability: AsyncStream<Void>
    /// Says when a change has been accepted.
    let accepted = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    /// What goes on beside the changes, until the server stops.
    private var work: [Task<Void, Never>] = []
    var recovery: Task<Void, Never>?

    package init(
        dataPlane: DataPlane, handlers: [HandlerBackend], access: Access = Access(),
        adminHosts: AdminHosts = AdminHosts(), bounds: HistoryBounds = .init(), log: Logger,
        lostLogLines: (@Sendable () -> UInt64)? = nil
    ) {
        self.access = access
        self.adminHosts = adminHosts
        self.dataPlane = dataPlane
        self.bounds = bounds
        self.log = log
        self.lostLogLines = lostLogLines
        health = HealthBoard()
        reflection = ReflectionBoard()
        registered = Dictionary(uniqueKeysWithValues: handlers.map { ($0.name, $0) })
        let (changes, changed) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        running = RunningBackends(log: log) { changed.yield() }
        availability = changes
    }

    deinit { thread.shutDown() }

    var state: ControlState { history.current }

    /// Reads the store, adds a backend for each registered handler that has none, and publishes.
    ///
    /// - Parameters:
    ///   - copy: a copy of the state on this machine, which is served if the store cannot be.
    ///   - lacksCopy: whether a copy should be kept, but cannot be opened.
    ///   - acceptsLostRevisions: whether the store may lack revisions that the copy contains or
    ///     other servers serve. The copy is not served then.
    package func start(
        with store: any StateStore = MemoryStore(), copy: StateCopy? = nil,
        lacksCopy: Bool = false, acceptsLostRevisions: Bool = false
    ) async throws {
        self.store = store
        self.copy = copy
        self.lacksCopy = lacksCopy
        for warning in copy?.warnings ?? [] { log.warning("\(warning)") }
        for warning in await store.warnings {
            log.warning("\(warning)", metadata: ["store": "\(store.place)"])
        }
        let problem = try await loadStoreOrCopy(acceptsLostRevisions: acceptsLostRevisions)
        if problem == nil {
            log.notice(
                "state read",
                metadata: ["store": "\(store.place)", "revision": "\(state.revision)"])
            try await registerHandlers()
        }
        await updateCopy()
        reportFutureRevision()
        reportMissingHandlers()
        try await publish(backendsChanged: true)
        if let problem { lost(problem) }
        let (availability, events, accepted) = (availability, store.events, accepted.stream)
        work = [
            Task { [weak self] in
                for await _ in availability {
                    await self?.tellStandardServices()
                    // Thousands of backends may come up one after the other.
                    try? await Task.sleep(for: .milliseconds(10))
                }
            },
            Task { [weak self] in
                for await event in events { await self?.received(event) }
            },
            Task { [weak self] in
                for await _ in accepted { await self?.tidyUp() }
            },
        ]
    }

    /// Stops worker processes and closes the store; returns when that is done.
    package func stop() async {
        for task in work { task.cancel() }
        recovery?.cancel()
        await running.takeAll().stop()
        await closeStores()
    }

    /// Closes the store for a successor. This server can no longer change the state.
    package func leaveStore() async {
        await enter()
        defer { leave() }
        recovery?.cancel()
        storeProblem = .ending
        await closeStores()
    }

    private func closeStores() async {
        await store.close()
        await updateCopy()
        await copy?.store.close()
    }

    var registeredNames: Set<String> { Set(registered.keys) }

    /// The names of the services that a backend's code answers, sorted.
    func services(of backend: ControlState.Backend) -> [String] {
        switch backend.kind {
        case .handler(let name): registered[name]?.services.keys.sorted() ?? []
        case .upstream, .worker:
            // What can't be read was refused when the backend was created.
            (try? Schema(descriptorSet: backend.descriptorSet))?.services.keys.sorted() ?? []
        }
    }

    // MARK: One at a time

    /// Waits for one's turn.
    func enter() async {
        // To look and to get in line in one: a task that prefers an executor, as handlers' tasks
        // do, may be suspended on its way into this call.
        await withCheckedContinuation { turn in
            guard isChanging else {
                isChanging = true
                return turn.resume()
            }
            waiting.append(turn)
        }
    }

    /// Lets the next one in.
    func leave() {
        guard !waiting.isEmpty else {
            isChanging = false
            return
        }
        waiting.removeFirst().resume()
    }

    // MARK: Publishing

    /// Gives the state to the data plane, to health and to reflection.
    ///
    /// - Parameter isForeign: whether the state belongs to another history than the one before, so
    ///   that equal revisions do not mean equal objects.
    func publish(backendsChanged: Bool, isForeign: Bool = false) async throws {
        if isForeign {
            running.forgetRevisions()
            shadows.forgetRevisions()
        }
        if backendsChanged {
            backendsRevision = state.revision
            describeServices()
        }
        let endpoints = state.endpoints.values.map { endpoint in
            shadows.setRules(endpoint, backendsRevision) { compared(by: endpoint, $0) }
            // Only what has changed is made again; no two changes have one revision.
            if !isForeign, let known = snapshot.endpoint(named: endpoint.name),
                known.revision == endpoint.revision
            {
                return known
            }
            return RoutingSnapshot.Endpoint(
                name: endpoint.name, route: endpoint.route, revision: endpoint.revision,
                policy: endpoint.policy, shadows: shadows.run(endpoint),
                limiter: limiter(for: endpoint))
        }
        shadows.keep(state)
        snapshot = RoutingSnapshot(
            revision: state.revision, endpoints: endpoints,
            backends: backendsChanged ? runBackends() : snapshot.backends)
        try await dataPlane.publish(snapshot)
        tellStandardServices()
    }

    /// What counts an endpoint's requests, if they are limited; it goes on counting through other
    /// changes.
    private func limiter(for endpoint: ControlState.Endpoint) -> RateLimiter? {
        guard let limit = endpoint.rateLimit else { return nil }
        if let known = snapshot.endpoint(named: endpoint.name)?.limiter,
            known.requestsPerSecond == limit.requestsPerSecond, known.burst == limit.burst
        {
            return known
        }
        return RateLimiter(requestsPerSecond: limit.requestsPerSecond, burst: limit.burst)
    }

    /// What answers for each backend on this server.
    private func runBackends() -> RoutingSnapshot.Backends {
        var backends: [String: RoutingSnapshot.Backend] = [:]
        for backend in state.backends.values {
            if case .handler(let name) = backend.kind {
                backends[backend.name] = registered[name].map {
                    .handler($0.named(backend.name, description: backend.description))
                }
            } else if let set = running.run(backend) {
                backends[backend.name] = .replicas(set)
            }
        }
        running.keep(state)
        return RoutingSnapshot.Backends(backends)
    }

    /// Whether a backend can be expected to answer.
    private func isUsable(_ backend: String) -> Bool {
        switch snapshot.backends[backend] {
        case .handler: true
        case .replicas(let set): set.isUsable
        case nil: false
        }
    }

    /// What health reports about the store.
    private static let storeHealth = "weir.store"

    func tellStandardServices() {
        let endpoints = state.endpoints.values.map { endpoint in
            EndpointHealth(
                endpoint: endpoint.name, service: endpoint.route.service,
                serves: endpoint.weights.weights.contains { isUsable($0.backend) })
        }
        var statuses = EndpointHealth.byName(endpoints).mapValues { serves in
            serves ? HealthBoard.Status.serving : .notServing
        }
        statuses[Self.storeHealth] = storeProblem == nil ? .serving : .notServing
        health.set(statuses)

        let routed = Set(state.endpoints.values.compactMap(\.route.service))
        reflection.set(
            schema,
            services: Self.standardServices + [MethodPath.serveCall.service]
                + routed.filter { schema.services[$0] != nil })
    }

    private func describeServices() {
        schema = Self.standardSchema
        // Most replicas bring no description.
        let describing = state.backends.values.filter {
            !$0.hasReplicas || !$0.descriptorSet.isEmpty
        }
        for backend in describing.sorted(by: { $0.name < $1.name }) {
            do {
                try addDescriptors(of: backend, to: &schema)
            } catch {
                log.error(
                    "no reflection for a backend",
                    metadata: ["backend": "\(backend.name)", "error": "\(error)"])
            }
        }
    }

    /// Adds what is known of a backend's services and messages.
    func addDescriptors(
        of backend: ControlState.Backend, to schema: inout Schema
    ) throws(MessageError) {
        switch backend.kind {
        case .handler(let name):
            for service in registered[name]?.services.values.map(\.self) ?? [] {
                try service.addDescriptors(to: &schema)
            }
        case .upstream, .worker: try schema.add(descriptorSet: backend.descriptorSet)
        }
    }

    /// Health and reflection, which every port answers.
    static let standardServices = [
        "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ]

    static let standardSchema: Schema = schema(of: [
        Grpc_Health_V1_HealthProto.file, Grpc_Reflection_V1_ReflectionProto.file,
        Grpc_Reflection_V1alpha_ReflectionProto.file, Weir_V1_ServeProto.file,
    ])

    static func schema(of files: [ProtoFile]) -> Schema {
        var schema = Schema()
        do {
            for file in files { try schema.add(file) }
        } catch {
            preconditionFailure("generated code describes itself: \(error)")
        }
        return schema
    }

    // MARK: Watching

    func watch(from revision: UInt64) throws(ControlError) -> Watchers.Subscription {
        try watchers.subscribe(from: revision, history)
    }

    /// From now on every health check says NOT_SERVING.
    package func drainHealth() { health.drain() }

    /// Ends all watches, which would keep a drain from finishing.
    package func endWatches() {
        watchers.endAll()
        health.endWatches()
    }
}
