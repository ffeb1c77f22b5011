/// The decision about a new worker process that shall replace an old one.
struct Succession {
    enum Step: Equatable {
        case wait
        /// The new one replaces the old one.
        case replace
        /// The new one and the update are stopped.
        case keepOld
        /// The new one is stopped, because a newer update or the stop of the group replaces it.
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
        if isSuperseded || isStopped { return .giveWay }
        guard isLate || newHasEnded else { return .wait }
        // An old process that is not healthy is not better.
        return oldIsHealthy ? .keepOld : .replace
    }
}
