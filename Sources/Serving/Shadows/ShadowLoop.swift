internal import Observability

/// The state that all shadow copies of one loop share. Confined to its loop.
final class ShadowLoop {
    let loop: LoopState
    let comparer: Comparer
    let queue: ShadowQueue
    private var tallies: [ObjectIdentifier: ShadowTally] = [:]

    init(_ loop: LoopState, _ comparer: Comparer) {
        self.loop = loop
        self.comparer = comparer
        queue = ShadowQueue(
            loop.eventLoop, bytesPerMillisecond: loop.limits.shadowBytesPerMillisecond)
    }

    /// The counts of a shadow on this loop.
    func tally(for account: ShadowAccount) -> ShadowTally {
        if let known = tallies[ObjectIdentifier(account)] { return known }
        let tally = ShadowTally(account)
        tallies[ObjectIdentifier(account)] = tally
        return tally
    }

    /// Removes the counts of all shadows but these.
    func retainTallies(of accounts: [ShadowAccount]) {
        let current = Set(accounts.map { ObjectIdentifier($0) })
        tallies = tallies.filter { current.contains($0.key) }
    }

    var figures: [ShadowAccount.Key: ShadowFigures] {
        tallies.values.reduce(into: [:]) { $0[$1.account.key] = $1.figures }
    }
}
