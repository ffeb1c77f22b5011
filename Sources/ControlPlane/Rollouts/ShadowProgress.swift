internal import Rollouts

/// The totals of a shadow at one moment.
struct ShadowProgress: Sendable, Equatable {
    var copies: UInt64 = 0
    var compared: UInt64 = 0
    var different: UInt64 = 0
    var badOnlyAtShadow: UInt64 = 0
    var badOnlyAtPrimary: UInt64 = 0

    /// The increase since an earlier moment. Totals that are lower were reset.
    func since(_ earlier: ShadowProgress) -> (tick: TickCounts, copies: UInt64) {
        let wasReset = copies < earlier.copies || compared < earlier.compared
        let earlier = wasReset ? ShadowProgress() : earlier
        func increase(_ path: KeyPath<ShadowProgress, UInt64>) -> UInt64 {
            self[keyPath: path] - min(self[keyPath: path], earlier[keyPath: path])
        }
        var tick = TickCounts()
        tick.compared = increase(\.compared)
        tick.different = increase(\.different)
        tick.badOnlyAtShadow = increase(\.badOnlyAtShadow)
        tick.badOnlyAtPrimary = increase(\.badOnlyAtPrimary)
        return (tick, increase(\.copies))
    }
}

/// The ejections of replicas on one server since it counts for a rollout.
struct EjectionProgress: Sendable, Equatable {
    var candidate: UInt64 = 0
    var baseline: UInt64 = 0
    /// The candidate's share of requests or of replicas, whichever is larger: a failure of one
    /// replica ejects it the sooner the more requests it has, and a failure of the network ejects
    /// all. Nil while it changes.
    var share: Double?

    /// The increase since an earlier moment. Totals that are lower were reset.
    func since(_ earlier: EjectionProgress) -> TickCounts {
        var tick = TickCounts()
        tick.candidateEjections =
            candidate < earlier.candidate ? candidate : candidate - earlier.candidate
        tick.baselineEjections =
            baseline < earlier.baseline ? baseline : baseline - earlier.baseline
        tick.ejectionShare = share
        return tick
    }
}

/// The replicas of a rollout's backends on this server.
struct ReplicaFigures: Sendable, Equatable {
    var replicas = 0
    var ejections: UInt64 = 0
}
