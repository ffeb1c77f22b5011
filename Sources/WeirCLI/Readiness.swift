internal import Messages

/// Whether the replicas of a backend that a command has created or updated get requests.
struct Readiness {
    enum Change {
        case created
        /// With the backend as it was before.
        case updated(from: Weir_Admin_V1_Backend)
    }

    /// The backend as it is now.
    let backend: Weir_Admin_V1_Backend
    /// The revision of the backend that the command has made.
    let revision: UInt64
    let change: Change

    private var replicas: [Weir_Admin_V1_ReplicaStatus] { backend.status?.replicas ?? [] }

    /// Whether a later look would show the same.
    var isSettled: Bool {
        guard let status = backend.status, !isSuperseded else { return true }
        switch backend.kind {
        case .handler, nil: return true
        case .worker(let worker):
            // A usable backend has a problem only if its update was stopped.
            return isReady(worker) || (status.usable && !status.problem.isEmpty)
        case .upstream(let upstream):
            return unreachable(upstream) == nil && !replicas.isEmpty
                && !replicas.contains { $0.state == .connecting || $0.state == .starting }
        }
    }

    /// Why not all of the replicas that the change is about are ready; nil if they are.
    ///
    /// The servers of a new upstream may be started later. Of an updated one, the servers count
    /// that the update has added.
    var problem: String? {
        guard !isSuperseded else {
            return "it was changed again: revision \(backend.revision) followed revision "
                + "\(revision) before that was ready"
        }
        switch backend.kind {
        case .handler, nil: return nil
        case .worker(let worker): return isReady(worker) ? nil : unready(worker)
        case .upstream(let upstream): return unreachable(upstream)
        }
    }

    private var isSuperseded: Bool { backend.revision > revision }

    // MARK: Workers

    private var current: Int { replicas.count { $0.state == .ready && $0.revision >= revision } }

    private func isReady(_ worker: Weir_Admin_V1_WorkerKind) -> Bool {
        current == replicas.count && current == Int(worker.replicas)
    }

    private func unready(_ worker: Weir_Admin_V1_WorkerKind) -> String {
        var parts = ["\(current) of \(worker.replicas) workers of revision \(revision) are ready"]
        let failed = replicas.first { $0.state != .ready && !$0.lastFailure.isEmpty }
        if let problem = backend.status?.problem, !problem.isEmpty {
            parts.append(problem)
        } else if let failed {
            parts.append("\(failed.name) \(failed.lastFailure)")
        }
        let old = Set(
            replicas.filter { $0.state == .ready && $0.revision < revision }.map(\.revision))
        if !old.isEmpty {
            let revisions = old.sorted().map { "revision \($0)" }.joined(separator: " and ")
            parts.append("the workers of \(revisions) still serve")
        }
        return parts.joined(separator: "; ")
    }

    // MARK: Upstreams

    /// The first server that the update has added and that is not ready.
    private func unreachable(_ upstream: Weir_Admin_V1_UpstreamKind) -> String? {
        guard case .updated(let before) = change else { return nil }
        var known: [String] = []
        if case .upstream(let old) = before.kind, old.tls == upstream.tls { known = old.addresses }
        for address in upstream.addresses where !known.contains(address) {
            // The replicas of a name are named after it and its addresses.
            let found = replicas.filter { $0.name == address || $0.name.hasPrefix("\(address) (") }
            let bad = found.first { $0.state != .ready }
            guard bad != nil || found.isEmpty else { continue }
            let reason = bad?.lastFailure ?? backend.status?.problem ?? ""
            return "\(bad?.name ?? address) is not ready" + (reason.isEmpty ? "" : ": \(reason)")
        }
        return nil
    }
}
