internal import Messages
internal import Observability
internal import Serving

internal import struct FoundationEssentials.Date

/// The resources and reports of shadows on this server. They survive changes of the state.
///
/// Confined to the control plane.
struct RunningShadows {
    private struct Running {
        let account: ShadowAccount
        /// The latest revision of the objects that its rules depend on.
        var rulesRevision: UInt64 = 0
        /// The comparison that its rules follow.
        var comparison: ControlState.Comparison?
    }

    private var all: [ShadowAccount.Key: Running] = [:]

    /// All accounts, those of second copies included.
    var accounts: [ShadowAccount] { all.values.map(\.account) }

    func account(endpoint: String, backend: String) -> ShadowAccount? {
        all[.init(endpoint: endpoint, backend: backend)]?.account
    }

    /// The account of second copies, which measure noise.
    func noise(endpoint: String) -> ShadowAccount? { account(endpoint: endpoint, backend: "") }

    /// The shadows of an endpoint for the data plane.
    mutating func run(_ endpoint: ControlState.Endpoint) -> EndpointShadows {
        guard !endpoint.shadows.isEmpty else { return .none }
        let shadows = endpoint.shadows.map { shadow in
            RunningShadow(
                start(endpoint.name, shadow.backend), limits: shadow.options.limits,
                includesOwn: shadow.options.includesOwn)
        }
        let noise = RunningShadow(
            start(endpoint.name, ""), limits: ShadowLimits(), includesOwn: true)
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

    /// Makes the next call of `staleRules` return each backend, whatever its revision.
    mutating func forgetRevisions() {
        for key in all.keys { all[key]?.rulesRevision = 0 }
    }

    /// The backends of an endpoint's shadows whose rules may have changed; empty for the second
    /// copies that measure noise.
    func staleRules(_ endpoint: ControlState.Endpoint, _ latestBackend: UInt64) -> [String] {
        guard !endpoint.shadows.isEmpty else { return [] }
        let revision = max(latestBackend, endpoint.revision)
        return (endpoint.shadows.map(\.backend) + [""]).filter {
            all[.init(endpoint: endpoint.name, backend: $0)]?.rulesRevision != revision
        }
    }

    /// Sets the rules for comparing the responses of an endpoint's shadows. Changed rules restart
    /// its reports: they may hold results of the old rules, and values that are redacted now.
    ///
    /// - Parameters:
    ///   - latestBackend: the revision of the latest change of any backend.
    ///   - rules: by the backends that `staleRules` has returned.
    mutating func setRules(
        _ endpoint: ControlState.Endpoint, _ latestBackend: UInt64,
        _ rules: [(backend: String, rules: ComparisonRules)]
    ) {
        let revision = max(latestBackend, endpoint.revision)
        for (backend, rules) in rules {
            let account = start(endpoint.name, backend)
            all[account.key]?.rulesRevision = revision
            account.ledger.rules = rules
            if let before = all[account.key]?.comparison,
                !before.hasSameRules(as: endpoint.comparison)
            {
                account.reset(at: Date().timeIntervalSince1970)
            }
            all[account.key]?.comparison = endpoint.comparison
        }
    }

    /// Removes the shadows that a state lacks.
    mutating func removeAll(missingFrom state: ControlState) {
        all = all.filter { key, _ in
            guard let endpoint = state.endpoints[key.endpoint] else { return false }
            return key.backend.isEmpty
                ? !endpoint.shadows.isEmpty
                : endpoint.shadows.contains { $0.backend == key.backend }
        }
    }
}
