internal import FoundationEssentials
internal import Observability
internal import Serving
internal import Synchronization
internal import Upstream

/// The current view of a server. The control plane writes it; reads do not wait for the control
/// plane.
final class ViewPublisher: Sendable {
    private struct Published {
        var view: ControlPlane.View
        /// The sources of samples.
        var backends: [String: RunningBackends.Running] = [:]
        var shadows: [ShadowAccount] = []
    }

    private let published: Mutex<Published>
    private let dataPlane: DataPlane
    private let startedAt = ContinuousClock.now
    private let now: @Sendable () -> Date

    /// - Parameter handlers: the handlers that this program has.
    init(
        _ dataPlane: DataPlane, handlers: [HandlerBackend], leases: LeaseBoard, facts: ServerFacts,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.dataPlane = dataPlane
        self.now = now
        var view = ControlPlane.View()
        view.leases = leases
        view.facts = facts
        for handler in handlers { view.handlers[handler.name] = handler.services.keys.sorted() }
        published = Mutex(Published(view: view))
    }

    // MARK: Writing

    /// Publishes a revision that the data plane serves.
    func publish(_ history: StateHistory, _ routing: RoutingSnapshot, _ deployment: Deployment) {
        published.withLock {
            $0.view.history = history
            $0.view.routing = routing
            $0.backends = deployment.backends.all
            $0.shadows = deployment.shadows.accounts
        }
    }

    /// Changes the published view.
    func update(_ change: (inout ControlPlane.View) -> Void) {
        published.withLock { change(&$0.view) }
    }

    // MARK: Reading

    /// The view without samples.
    var current: ControlPlane.View {
        var view = published.withLock { $0.view }
        view.time = now()
        return view
    }

    /// The view with samples.
    ///
    /// - Parameter includesBackends: whether the statuses of backends are sampled. With thousands
    ///   of backends, that takes longer than a change.
    func sample(includesBackends: Bool = true) async -> ControlPlane.View {
        let figures = try? await dataPlane.figures()
        var (view, backends, shadows) = published.withLock { ($0.view, $0.backends, $0.shadows) }
        view.figures = figures
        if includesBackends { view.backends = backends.mapValues { .init($0) } }
        for account in shadows { view.shadows[account.key] = .init(account) }
        view.time = now()
        view.uptime = ContinuousClock.now - startedAt
        return view
    }

    /// Runs a read of the view without samples, off the event loops.
    func read<Result: Sendable>(
        _ body: @Sendable (ControlPlane.View) throws -> Result
    ) async rethrows -> Result {
        try await withTaskExecutorPreference(globalConcurrentExecutor) { try body(current) }
    }

    /// Runs a read of the view with samples, off the event loops.
    func readSampled<Result: Sendable>(
        includesBackends: Bool = true, _ body: @Sendable (ControlPlane.View) throws -> Result
    ) async rethrows -> Result {
        try await withTaskExecutorPreference(globalConcurrentExecutor) {
            try body(await sample(includesBackends: includesBackends))
        }
    }
}
