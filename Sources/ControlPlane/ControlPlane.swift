internal import GRPCWire
package import Logging
internal import Messages
package import Serving
package import StateStores
internal import TrafficPolicy
internal import Transport
internal import Upstream
package import Webhooks

/// The only writer of the control state: checks a change, stores it, publishes it to every loop of
/// the data plane, and notifies the watchers. In this order, one change at a time.
///
/// ```
///   admin RPC -> change(state) -> store.append -> dataPlane.publish -> watchers, response
///                   | rejected       | failed: nothing has changed
///                   '-- another server was first: catch up with the store, and try again
/// ```
///
/// `ControlPlane+Store.swift` follows the store, `ControlPlane+Loss.swift` serves without it,
/// `ControlPlane+Changes.swift` has the changes of single objects, `ControlPlane+History.swift`
/// those of whole states. Reads use the published `View` and do not wait for changes.
package actor ControlPlane {
    /// Its own thread: the handlers of the admin service run on event loops, which it must not
    /// delay.
    private let thread = ActorThread()
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe thread.asUnownedSerialExecutor()
    }

    package let dataPlane: DataPlane
    let access: Access
    let adminHosts: AdminHosts
    package nonisolated let health: HealthBoard
    package let reflection: ReflectionBoard
    /// The store of the state; `start` reads it.
    private(set) var store: any StateStore = MemoryStore()
    let log: Logger
    /// The handlers that this program has, by name.
    let registered: [String: HandlerBackend]
    let bounds: HistoryBounds
    let chance: Nondeterminism

    /// The served state and the revisions that led to it. Follows the store.
    var history = StateHistory()
    /// The clock of the revisions' times.
    var clock = WallClock()
    var loss = StoreLoss()
    /// The copy of a shared state on this machine; nil without one.
    var copy: StateCopy? {
        didSet { if let copy { views.update { $0.isCopyUp = copy.problem == nil } } }
    }
    /// Whether each registered handler has had a backend since the start.
    var hasRegisteredHandlers = false
    /// The running rollouts.
    var rollouts: [String: RunningRollout] = [:]
    var rolloutHooks = RolloutHooks()
    /// The name of this run of the server in the counts of a fleet.
    let countingName: String
    var publication = Publication()
    /// The rollouts of which the store may contain progress; nil if others may too.
    var rolloutsWithProgress: Set<UInt64>?
    var recentTraffic = RecentTraffic()
    var recentStats = RecentStats()
    /// Nil if this server calls no webhooks.
    private(set) var webhooks: WebhookSettings?
    /// The progress of rollouts that other servers drive, for reads.
    var followed: [UInt64: FollowedRollout] = [:]
    /// The changes of weights that this server will revert, by endpoint.
    var timeBoxes: [String: RunningTimeBox] = [:]
    let watchers = Watchers()
    /// Whether new watches end at once.
    private var hasEndedWatches = false
    nonisolated let leases: LeaseBoard
    /// The next review of the leases.
    var leaseReview: (deadline: ContinuousClock.Instant, task: Task<Void, Never>)?
    var deployment: Deployment
    /// The served revision and the problems of the store, for reads.
    nonisolated let views: ViewPublisher
    nonisolated let metricsRendering = SharedRendering<MetricsEncoding>()
    private(set) var changes = ChangeQueue()
    var background = BackgroundWork()

    package init(
        dataPlane: DataPlane, handlers: [HandlerBackend], access: Access = Access(),
        adminHosts: AdminHosts = AdminHosts(), bounds: HistoryBounds = .init(), log: Logger,
        facts: ServerFacts = ServerFacts(), chance: Nondeterminism = Nondeterminism()
    ) {
        self.chance = chance
        countingName = String(chance.random(), radix: 36)
        self.access = access
        self.adminHosts = adminHosts
        self.dataPlane = dataPlane
        self.bounds = bounds
        self.log = log
        health = HealthBoard()
        reflection = ReflectionBoard()
        let reviews = background.leases.continuation
        leases = LeaseBoard { reviews.yield($0) }
        registered = Dictionary(uniqueKeysWithValues: handlers.map { ($0.name, $0) })
        views = ViewPublisher(
            dataPlane, handlers: handlers, leases: leases, facts: facts, now: chance.now)
        let availability = background.availability.continuation
        let schemas = background.schemas.continuation
        deployment = Deployment(
            backends: RunningBackends(
                log: log, onChange: { availability.yield() }, onSchema: { schemas.yield() }))
    }

    deinit { thread.shutDown() }

    var state: ControlState { history.current }

    /// Why changes are rejected; nil if they are accepted.
    var storeProblem: StoreProblem? {
        get { views.current.storeProblem }
        set { views.update { $0.storeProblem = newValue } }
    }

    /// Reads the store, adds a backend for each registered handler without one, and publishes.
    ///
    /// - Parameters:
    ///   - copy: a copy of the state on this machine, which is served if the store cannot be.
    ///   - lacksCopy: whether a copy should be kept, but cannot be opened.
    ///   - acceptsLostRevisions: whether the store may lack revisions that the copy contains or
    ///     other servers serve. The copy is not served then.
    ///   - webhooks: nil to call none.
    package func start(
        with store: any StateStore = MemoryStore(), copy: StateCopy? = nil,
        lacksCopy: Bool = false, acceptsLostRevisions: Bool = false,
        webhooks: WebhookSettings? = nil
    ) async throws {
        self.webhooks = webhooks
        self.store = store
        if !store.isShared { leases.isOnly() }
        self.copy = copy
        if lacksCopy { views.update { $0.isCopyUp = false } }
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
        reportUndescribedServices()
        try await publish(backendsChanged: true)
        if let problem { storeIsLost(problem) }
        reflection.beforeAnswers { [weak self] in await self?.loadSchemas() }
        beginBackgroundWork()
    }

    private func beginBackgroundWork() {
        let (availability, events) = (background.availability.stream, store.events)
        let (accepted, schemas) = (background.accepted.stream, background.schemas.stream)
        let reviews = background.leases.stream
        background.tasks =
            [
                Task { [weak self] in
                    for await _ in availability {
                        await self?.updateStandardServices()
                        // Thousands of backends may become usable one after the other.
                        try? await Task.sleep(for: .milliseconds(10))
                    }
                },
                Task { [weak self] in
                    for await event in events { await self?.received(event) }
                },
                Task { [weak self] in
                    for await _ in accepted { await self?.tidyUp() }
                },
                Task { [weak self] in
                    for await _ in schemas { await self?.schemasChanged() }
                },
                Task { [weak self] in
                    while !Task.isCancelled {
                        try? await Task.sleep(for: .seconds(1))
                        await self?.tickRollouts()
                        await self?.tickTimeBoxes()
                        await self?.sampleTraffic()
                    }
                },
                Task { [weak self] in
                    for await time in reviews { await self?.scheduleLeaseReview(after: time) }
                },
            ] + background.runners()
    }

    /// Stops worker processes and closes the store; returns when that is done.
    package func stop() async {
        for task in background.tasks { task.cancel() }
        loss.recovery?.cancel()
        await deployment.backends.takeAll().stop()
        await closeStores()
    }

    /// Closes the store for a successor. This server can no longer change the state.
    package func leaveStore() async {
        await beginChange()
        defer { endChange() }
        loss.recovery?.cancel()
        storeProblem = .ending
        await closeStores()
    }

    private func closeStores() async {
        await store.close()
        await updateCopy()
        await copy?.store.close()
    }

    var registeredNames: Set<String> { Set(registered.keys) }

    // MARK: One change at a time

    /// Waits until no other change runs.
    func beginChange() async {
        // Checks and queues in one step: a task that prefers an executor, as handlers' tasks do,
        // may be suspended while it enters this method.
        await withCheckedContinuation { turn in
            changes.add(turn)
        }
    }

    /// Resumes the next change.
    func endChange() { changes.next() }

    // MARK: Publishing

    /// Publishes the state to the data plane, health and reflection.
    ///
    /// - Parameter isForeign: whether the state belongs to another history than the one before it:
    ///   equal revisions then do not mean equal objects.
    func publish(backendsChanged: Bool, isForeign: Bool = false) async throws {
        if isForeign {
            deployment.backends.forgetRevisions()
            deployment.shadows.forgetRevisions()
        }
        if backendsChanged {
            deployment.backendsRevision = state.revision
            describeServices()
        }
        let served = views.current.routing
        let endpoints = state.endpoints.values.map { endpoint in
            setRules(of: endpoint)
            // Only a changed endpoint is made again; a revision belongs to one change.
            if !isForeign, let known = served.endpoint(named: endpoint.name),
                known.revision == endpoint.revision
            {
                return known
            }
            return RoutingSnapshot.Endpoint(
                name: endpoint.name, route: endpoint.route, revision: endpoint.revision,
                policy: endpoint.policy, shadows: deployment.shadows.run(endpoint),
                methods: endpoint.methods, limiter: limiter(for: endpoint, served),
                counting: counting(for: endpoint), cors: endpoint.cors,
                httpShardKey: endpoint.httpShardKey)
        }
        deployment.shadows.removeAll(missingFrom: state)
        defer { loadSchemasOfShadows() }
        let routing = RoutingSnapshot(
            revision: state.revision, endpoints: endpoints,
            backends: backendsChanged ? runBackends() : served.backends,
            httpRoutes: servedRoutes(), lacksSchemas: lacksSchemas())
        try await dataPlane.publish(routing)
        views.publish(history, routing, deployment)
        dataPlane.finishTaps { state.missing($0) != nil }
        updateStandardServices()
    }

    /// The limiter of an endpoint, if its rate is limited. It survives changes that do not change
    /// the limit.
    private func limiter(
        for endpoint: ControlState.Endpoint, _ served: RoutingSnapshot
    ) -> RateLimiter? {
        guard let limit = endpoint.rateLimit else { return nil }
        if let known = served.endpoint(named: endpoint.name)?.limiter,
            known.requestsPerSecond == limit.requestsPerSecond, known.burst == limit.burst
        {
            return known
        }
        return RateLimiter(requestsPerSecond: limit.requestsPerSecond, burst: limit.burst)
    }

    /// The requests of a running rollout are counted.
    private func counting(for endpoint: ControlState.Endpoint) -> RoutingSnapshot.Counting? {
        endpoint.rollout.flatMap {
            $0.isRunning ? .init(rollout: $0.id, candidate: $0.candidate) : nil
        }
    }

    /// The handlers and replicas of all backends on this server.
    private func runBackends() -> RoutingSnapshot.Backends {
        var backends: [String: RoutingSnapshot.Backend] = [:]
        for backend in state.backends.values {
            if case .handler(let name) = backend.kind {
                backends[backend.name] = registered[name].map {
                    .handler($0.named(backend.name, description: backend.description))
                }
            } else if let set = deployment.backends.run(backend) {
                backends[backend.name] = .replicas(set)
                applyLease(of: backend)
            }
        }
        deployment.backends.removeAll(missingFrom: state)
        return RoutingSnapshot.Backends(backends)
    }

    /// Whether a backend has a handler or a usable replica.
    static func isUsable(_ backend: RoutingSnapshot.Backend?) -> Bool {
        switch backend {
        case .handler: true
        case .replicas(let set): set.isUsable
        case nil: false
        }
    }

    /// The name under which health reports the store.
    private static let storeHealth = "weir.store"

    func updateStandardServices() {
        let backends = views.current.routing.backends
        let endpoints = state.endpoints.values.map { endpoint in
            EndpointHealth(
                endpoint: endpoint.name, service: endpoint.route.service,
                serves: endpoint.weights.weights.contains { Self.isUsable(backends[$0.backend]) })
        }
        var statuses = EndpointHealth.byName(endpoints).mapValues { serves in
            serves ? HealthBoard.Status.serving : .notServing
        }
        statuses[Self.storeHealth] = storeProblem == nil ? .serving : .notServing
        health.set(statuses)

        let routed = Set(state.endpoints.values.compactMap(\.route.service))
        let schema = deployment.schema
        reflection.set(
            schema,
            services: Self.standardServices + [MethodPath.serveCall.service]
                + routed.filter { schema.services[$0] != nil })
    }

    /// Health and reflection, which every port serves.
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
        let subscription = try watchers.subscribe(from: revision, history)
        if hasEndedWatches { watchers.endAll() }
        return subscription
    }

    /// Makes every health check return NOT_SERVING.
    package func drainHealth() { health.drain() }

    /// Ends all watches and the streams of leases, which would prevent a drain from finishing.
    package func endWatches() {
        hasEndedWatches = true
        watchers.endAll()
        dataPlane.finishTaps()
        leases.endAll()
        health.endWatches()
    }
}
