internal import GRPCWire
internal import Messages
internal import Serving
internal import Upstream

extension ControlPlane {
    /// The time between reviews of a lease that another server of the fleet may have.
    private static let leaseReviewInterval = Duration.seconds(5)

    /// Holds the leases of a session; the caller ends the result.
    nonisolated func holdLeases(
        _ request: Weir_Admin_V1_HoldLeasesRequest
    ) throws(ControlError) -> LeaseBoard.Hold {
        try ControlState.check(name: request.session, field: "session")
        var grace = LeaseBoard.defaultGracePeriod
        try RequestField("grace_period").set(&grace, request.gracePeriod)
        guard grace >= .seconds(1), grace <= .seconds(3_600) else {
            throw .invalid("grace_period", "is \(grace); use 1 s to 1 h")
        }
        guard let hold = leases.hold(request.session, gracePeriod: grace) else {
            throw .rejected(
                "\(LeaseBoard.maxSessions) sessions hold leases already; end some of them",
                reason: "TOO_MANY_SESSIONS", [:])
        }
        return hold
    }

    /// Ends the leases of a session; returns when its backends receive no further requests.
    func releaseLeases(_ session: String) async {
        leases.release(session)
        reviewLeases()
        let sets = state.backends.values.filter { $0.lease?.session == session }
            .compactMap { deployment.backends.all[$0.name]?.set }
        for set in sets { await set.allPoolsFollow() }
    }

    /// Suspends the backends whose programs are gone, and resumes those whose programs are back.
    func reviewLeases() {
        var sessions: Set<String> = []
        var isUncertain = false
        for backend in state.backends.values {
            guard let lease = backend.lease else { continue }
            sessions.insert(lease.session)
            if applyLease(of: backend) == .lost { isUncertain = true }
        }
        leases.removeAll(except: sessions)
        if isUncertain { scheduleLeaseReview(after: Self.leaseReviewInterval) }
        if let next = leases.nextExpiry { scheduleLeaseReview(after: next) }
    }

    /// Suspends or resumes the replicas of a backend, as its lease requires.
    @discardableResult
    func applyLease(of backend: ControlState.Backend) -> Weir_Admin_V1_LeaseState? {
        guard let set = deployment.backends.all[backend.name]?.set else { return nil }
        guard let lease = backend.lease else {
            set.suspend(because: nil)
            return nil
        }
        let verdict = leases.verdict(on: lease, isUsable: set.isUsable)
        let isGone = verdict.state == .gone && verdict.isCertain
        set.suspend(because: isGone ? lease.problem : nil)
        return verdict.state
    }

    /// Reviews the leases after a time, or earlier if an earlier review is scheduled. That one
    /// schedules the next.
    func scheduleLeaseReview(after time: Duration) {
        let deadline = ContinuousClock.now + time
        if let leaseReview, leaseReview.deadline <= deadline { return }
        leaseReview?.task.cancel()
        let task = Task { [weak self] in
            guard (try? await Task.sleep(until: deadline)) != nil else { return }
            await self?.leaseReviewIsDue()
        }
        leaseReview = (deadline, task)
    }

    private func leaseReviewIsDue() {
        leaseReview = nil
        reviewLeases()
    }
}
