internal import Transport

/// The life of a slot of a worker backend: its processes, one after the other.
///
/// ```
///             started              check: is serving
///   waiting ----------> starting ---------------------> healthy
///     ^ ^                 |  | leaderEnded                 | leaderEnded
///     | |  ended: it      |  v                             |
///     | '-- did not start '  leaving <---------------------'
///     |                      |
///     '-------- ended -------'   the next start is after the backoff
/// ```
///
/// A process that is late stays in `starting` until the shell has stopped it.
///
/// Times are nanoseconds of any monotonic clock. `check` and `leaderEnded` may be called in any
/// phase: the process can end at any time, also before `started` is known to the caller. `started`
/// of a process that runs is a bug of the shell.
struct WorkerMachine: ~Copyable {
    private enum Phase: Equatable {
        case waiting
        case starting(until: UInt64)
        case healthy
        /// The process has ended; the processes that it started are being ended.
        case leaving
    }

    /// What the shell has seen of a process.
    enum Sight: Equatable {
        /// It does not accept connections yet, or its first health check runs.
        case starting
        /// It accepts connections, but does not serve.
        case failing(String)
        /// It has answered with HTTP/2 and passes its health checks.
        case serving
    }

    /// What the shell does after a check.
    enum Check: Equatable {
        /// Check again soon.
        case again
        /// The process became healthy.
        case healthy
        /// The process was not healthy in time: stop it.
        case late
        /// The process has ended, or was healthy before.
        case done
    }

    private var phase = Phase.waiting
    private var backoff = Backoff()
    /// Starts after the first one.
    private(set) var restarts: UInt64 = 0
    /// How the last process ended; nil before the first end.
    private(set) var lastFailure: String?
    /// Why the process that starts does not serve; nil while it only starts.
    private(set) var obstacle: String?

    /// Whether a process runs that is not yet healthy.
    var isStarting: Bool { if case .starting = phase { true } else { false } }

    /// Whether a process runs that has been healthy.
    var isHealthy: Bool { phase == .healthy }

    /// Why the slot serves no requests now; nil if it is healthy.
    var problem: String? {
        switch phase {
        case .healthy: nil
        case .leaving: "has ended"
        case .waiting: lastFailure ?? "has not been started"
        case .starting:
            if let obstacle {
                "is not ready: \(obstacle)"
            } else if let lastFailure {
                "\(lastFailure); it is starting again"
            } else {
                "is starting"
            }
        }
    }

    /// A process starts.
    ///
    /// - Parameter timeout: the time to become healthy in.
    mutating func started(at now: UInt64, timeout: Duration) {
        // Invariant: the shell runs one process at a time.
        precondition(phase == .waiting)
        backoff.attemptStarted(at: now)
        phase = .starting(until: now + timeout.nanoseconds)
        obstacle = nil
    }

    /// The shell looked at the process.
    mutating func check(at now: UInt64, _ sight: Sight) -> Check {
        guard case .starting(let until) = phase else { return .done }
        switch sight {
        case .starting: obstacle = nil
        case .failing(let reason): obstacle = reason
        case .serving:
            phase = .healthy
            obstacle = nil
            backoff = Backoff()
            return .healthy
        }
        return now < until ? .again : .late
    }

    /// The process has ended.
    mutating func leaderEnded() { phase = .leaving }

    /// The process and those that it started have ended.
    ///
    /// - Parameter random: 0 to 1.
    /// - Returns: nanoseconds until the next start.
    mutating func ended(_ failure: String, at now: UInt64, random: Double) -> UInt64 {
        phase = .waiting
        obstacle = nil
        lastFailure = failure
        restarts += 1
        backoff.failed(at: now, random: random)
        return backoff.retryAt - now
    }
}
