internal import StateStores

/// Why a server rejects changes.
struct StoreProblem: Equatable, Sendable {
    enum Kind: Sendable {
        /// The store cannot be reached or written.
        case lost
        /// The store contains another history than the server.
        case diverged
        case damaged
        /// The server has closed the store.
        case closed

        /// Whether the store can be reached, and an operator has to decide which state is right.
        var needsDecision: Bool { self == .diverged || self == .damaged }

        /// The sentence for the log.
        var report: String {
            switch self {
            case .lost:
                "the store cannot be used; the server continues to serve and rejects changes"
            case .diverged:
                "the store contains another history; the server continues to serve its last state "
                    + "and rejects changes until 'weir state adopt' or 'weir state restore'"
            case .damaged:
                "the content of the store is damaged; the server continues to serve its last "
                    + "state and rejects changes until 'weir state restore'"
            case .closed: "the store is closed"
            }
        }
    }

    let kind: Kind
    let reason: String

    package static let ending = StoreProblem(kind: .closed, reason: "this server is stopping")

    private init(kind: Kind, reason: String) {
        self.kind = kind
        self.reason = reason
    }

    init(_ error: StoreError) {
        let kind: Kind =
            switch error {
            case .foreign: .diverged
            case .damaged: .damaged
            case .conflict, .unavailable, .refused, .held: .lost
            }
        self.init(kind: kind, reason: error.description)
    }
}

/// The reports of a lost store, and the attempts to follow it again.
struct StoreLoss {
    var reports = StoreProblemReports()
    /// Runs while the store is lost.
    var recovery: Task<Void, Never>?
}

/// When a lasting problem is logged: at once if its kind is new, then each minute.
struct StoreProblemReports {
    /// The time between two reports of a problem.
    static let interval = Duration.seconds(60)

    private var last: (kind: StoreProblem.Kind, time: ContinuousClock.Instant)?

    /// Whether to log a problem now; if so, it counts as logged.
    mutating func shouldReport(_ problem: StoreProblem, at now: ContinuousClock.Instant) -> Bool {
        if let last, last.kind == problem.kind, last.time.duration(to: now) < Self.interval {
            return false
        }
        last = (problem.kind, now)
        return true
    }

    /// Makes the next problem count as new.
    mutating func reset() { last = nil }
}
