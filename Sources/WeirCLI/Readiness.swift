internal import Messages

/// Whether the replicas of a created or updated backend are ready for requests.
struct Readiness {
    enum Change {
        case created
        /// With the previous backend.
        case updated(from: Weir_Admin_V1_Backend)
    }

    /// The current backend.
    let backend: Weir_Admin_V1_Backend
    /// The revision that the command created.
    let revision: UInt64
    let change: Change

    private var replicas: [Weir_Admin_V1_ReplicaStatus] { backend.status?.replicas ?? [] }

    /// Whether the status is final.
    ///
    /// - Parameter isExplicit: whether the user has asked to wait. Otherwise, a server that refuses
    ///   connections is final, because it may start later.
    func isSettled(isExplicit: Bool) -> Bool {
        guard let status = backend.status, !isSuperseded else { return true }
        switch backend.kind {
        case .handler, nil: return true
        case .worker(let worker):
            // A usable backend reports a problem only if its update was stopped.
            return isReady(worker) || (status.usable && !status.problem.isEmpty)
        case .upstream(let upstream):
            guard unreachable(upstream) != nil else { return true }
            return !isExplicit && !replicas.isEmpty
                && !replicas.contains { $0.state == .connecting || $0.state == .starting }
        }
    }

    /// Whether a problem is a failure of the command. Servers of an upstream may start later, so
    /// their absence is a failure only if the user has asked to wait for them.
    func isFailure(isExplicit: Bool) -> Bool {
        guard problem != nil else { return false }
        if case .upstream = backend.kind, !isSuperseded { return isExplicit }
        return true
    }

    /// Why replicas that the change affects are not ready; nil if all are ready.
    ///
    /// Of an upstream, one server must be ready, and each server that an update added.
    var problem: String? {
        guard !isSuperseded else {
            return "another change followed: revision \(backend.revision) replaced revision "
                + "\(revision) before it was ready"
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
            parts.append("\(failed.name): \(failed.lastFailure)")
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

    private func unreachable(_ upstream: Weir_Admin_V1_UpstreamKind) -> String? {
        switch change {
        case .created: unreachable()
        case .updated(let before): unreachable(upstream, addedTo: before)
        }
    }

    /// Why no server is ready; nil if one is.
    private func unreachable() -> String? {
        guard !replicas.contains(where: { $0.state == .ready }) else { return nil }
        let failed = replicas.first { !$0.lastFailure.isEmpty }
        let problem = backend.status?.problem ?? ""
        if let failed { return "\(failed.name): \(failed.lastFailure)" }
        return problem.isEmpty ? "no server is connected yet" : problem
    }

    /// The first added server that is not ready.
    private func unreachable(
        _ upstream: Weir_Admin_V1_UpstreamKind, addedTo before: Weir_Admin_V1_Backend
    ) -> String? {
        var known: [String] = []
        if case .upstream(let old) = before.kind, old.tls == upstream.tls { known = old.addresses }
        for address in upstream.addresses where !known.contains(address) {
            // Replicas of a host name are named after the host name and its addresses.
            let found = replicas.filter { $0.name == address || $0.name.hasPrefix("\(address) (") }
            let bad = found.first { $0.state != .ready }
            guard bad != nil || found.isEmpty else { continue }
            let reason = bad?.lastFailure ?? backend.status?.problem ?? ""
            return "\(bad?.name ?? address) is not ready" + (reason.isEmpty ? "" : ": \(reason)")
        }
        return unreachable()
    }
}
