internal import FoundationEssentials
internal import GRPCWire
internal import Messages
internal import Observability
internal import Serving
internal import Upstream

extension ControlPlane {
    /// This server at one revision and one moment. Reads of the admin service and `/metrics` are
    /// functions of it.
    ///
    /// The control plane publishes a view after each change; a read adds the samples.
    struct View: Sendable {
        /// The served state and the revisions that led to it.
        var history = StateHistory()
        /// The snapshot that the data plane serves.
        var routing = RoutingSnapshot.empty
        /// The services of the handlers that this program has, sorted, by name of the handler.
        var handlers: [String: [String]] = [:]
        /// Why changes are rejected; nil if they are accepted.
        var storeProblem: StoreProblem?
        /// Whether the copy of the state on this machine is up to date; nil if this server keeps
        /// none.
        var isCopyUp: Bool?
        /// The names of the services of backends of replicas, by their known schemas.
        var services: [String: [String]] = [:]
        /// The version, the certificates and the log of this server.
        var facts = ServerFacts()
        /// The rollouts that this server drives, with their evidence.
        var rollouts: [String: RunningRollout] = [:]
        /// Why the latest delivery to a webhook failed, by endpoint.
        var webhookProblems: [String: String] = [:]
        /// The leases of programs; nil in a view of a test.
        var leases: LeaseBoard?
        /// This server in the list of servers that share the store; nil until it listens.
        var instance: Weir_Admin_V1_Instance?

        // MARK: Samples

        /// The counts of all loops; nil in a view without samples, and while the server shuts down.
        var figures: ServingFigures?
        /// The status of the backends of replicas.
        var backends: [String: BackendSample] = [:]
        /// The use and the ledgers of the shadows.
        var shadows: [ShadowAccount.Key: ShadowSample] = [:]
        /// This process; nil in a view that is not for metrics.
        var process: ProcessSample?
        var taps = TapFigures()
        var time = Date()
        /// The time since the start of the server.
        var uptime = Duration.zero

        var state: ControlState { history.current }
    }

    /// The status of a backend of replicas.
    struct BackendSample: Sendable {
        var revision: UInt64 = 0
        var isUsable = false
        var requestsInFlight = 0
        /// Why no replica is usable.
        var problem = ""
        /// Each replica once: while a worker is replaced, both of its processes are in the set.
        var replicas: [ReplicaStatus] = []
        /// The processes; nil for an upstream.
        var workers: [WorkerStatus]?
        /// Why the latest change of a worker backend failed.
        var updateFailure: String?
    }

    /// The use and the ledger of a shadow.
    struct ShadowSample: Sendable {
        var content = DifferenceLedger.Content()
        var requestsInFlight = 0
        var bufferedBytes = 0
    }
}

extension ControlPlane.View {
    /// The counts of all loops; throws while the server shuts down.
    func requireFigures() throws(RPCError) -> ServingFigures {
        guard let figures else { throw RPCError(.unavailable, "the server is shutting down") }
        return figures
    }
}

extension ControlPlane.BackendSample {
    init(_ running: RunningBackends.Running) {
        let (set, workers) = (running.set, running.workers?.statuses)
        self.init(
            revision: running.revision, isUsable: set.isUsable,
            requestsInFlight: set.requestsInFlight, problem: set.problem,
            replicas: workers?.map(\.replica) ?? set.statuses, workers: workers,
            updateFailure: running.workers?.updateFailure)
    }
}

extension ControlPlane.ShadowSample {
    init(_ account: ShadowAccount) {
        self.init(
            content: account.ledger.entries, requestsInFlight: account.requestsInFlight,
            bufferedBytes: account.bufferedBytes)
    }
}
