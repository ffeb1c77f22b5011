/// What happens to a new worker process that is to replace an old one.
struct Succession {
    enum Step: Equatable {
        case wait
        /// The new one takes the old one's place.
        case replace
        /// The new one stops, and the update with it.
        case keepOld
        /// The new one stops, because a newer update starts another one.
        case giveWay
    }

    let newIsHealthy: Bool
    /// The new one has ended at least once.
    let newHasEnded: Bool
    /// Its start timeout is over.
    let isLate: Bool
    let oldIsHealthy: Bool
    let isStopped: Bool
    let isSuperseded: Bool

    var step: Step {
        if newIsHealthy { return .replace }
        if isSuperseded { return .giveWay }
        guard isLate || newHasEnded || isStopped else { return .wait }
        // An old process that does not run is not better.
        return oldIsHealthy ? .keepOld : .replace
    }
}
