internal import Messages
internal import Observability
internal import Serving

internal import struct FoundationEssentials.Date

/// What the shadows of the endpoints use on this server, and have found; kept from change to
/// change.
///
/// Confined to the control plane.
struct RunningShadows {
    private struct Running {
        let account: ShadowAccount
        /// The latest revision of what its rules follow from.
        var rulesRevision: UInt64 = 0
        /// What answers are judged by.
        var comparison: ControlState.Comparison?
    }

    private var all: [ShadowAccount.Key: Running] = [:]

    func account(endpoint: String, backend: String) -> ShadowAccount? {
        all[.init(endpoint: endpoint, backend: backend)]?.account
    }

    /// Second copies, to the backends that answer callers.
    func noise(endpoint: String) -> ShadowAccount? { account(endpoint: endpoint, backend: "") }

    /// An endpoint's shadows as the data plane uses them.
    mutating func run(_ endpoint: ControlState.Endpoint) -> EndpointShadows {
        guard !endpoint.shadows.isEmpty else { return .none }
        let shadows = endpoint.shadows.map { shadow in
            Shadow(
                start(endpoint.name, shadow.backend), limits: shadow.options.limits,
                includesOwn: shadow.options.includesOwn)
        }
        let noise = Shadow(start(endpoint.name, ""), limits: ShadowLimits(), includesOwn: true)
        return EndpointShadows(
            shadows, noise: noise, noiseShare: endpoint.comparison.noiseProportion)
    }

    private mutating func start(_ endpoint: String, _ backend: String) -> ShadowAccount {
        let key = ShadowAccount.Key(endpoint: endpoint, backend: backend)
        if let known = all[key] { return known.account }
        let account = ShadowAccount(key, at: Date().timeIntervalSince1970)
        all[key] = Running(account: account)
        return account
    }

    /// Reads all rules at the next call of `setRules`, whatever their revision.
    mutating func forgetRevisions() {
        for key in all.keys { all[key]?.rulesRevision = 0 }
    }

    /// Has an endpoint's answers compared by the rules of today. Other rules restart its reports:
    /// what was judged by the old ones, and values that are not to be kept any more, are forgotten.
    ///
    /// - Parameters:
    ///   - latestBackend: the revision of the latest change of any backend.
    ///   - rules: for the backend of a shadow; called when they may have changed.
    mutating func setRules(
        _ endpoint: ControlState.Endpoint, _ latestBackend: UInt64,
        _ rules: (_ backend: String) -> ComparisonRules
    ) {
        guard !endpoint.shadows.isEmpty else { return }
        let revision = max(latestBackend, endpoint.revision)
        for backend in endpoint.shadows.map(\.backend) + [""] {
            let account = start(endpoint.name, backend)
            guard all[account.key]?.rulesRevision != revision else { continue }
            all[account.key]?.rulesRevision = revision
            account.ledger.rules = rules(backend)
            if let before = all[account.key]?.comparison,
                !before.judgesLike(endpoint.comparison)
            {
                account.reset(at: Date().timeIntervalSince1970)
            }
            all[account.key]?.comparison = endpoint.comparison
        }
    }

    /// Forgets shadows that are configured no more.
    mutating func keep(_ state: ControlState) {
        all = all.filter { key, _ in
            guard let endpoint = state.endpoints[key.endpoint] else { return false }
            return key.backend.isEmpty
                ? !endpoint.shadows.isEmpty
                : endpoint.shadows.contains { $0.backend == key.backend }
        }
    }
}
