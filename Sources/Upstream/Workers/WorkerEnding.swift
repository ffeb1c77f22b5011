/// How a worker ends: which signals its process group receives, and when.
///
/// The group is the worker and the processes that it has started, unless they have left it. While
/// the group is cleared, Weir has not read the exit code of the worker. So the number of the group
/// cannot belong to another group.
///
/// ```
///   running --stop: SIGTERM------> asked --timeout: SIGKILL--> killed
///      |                             |                              |
///      | worker ended: SIGTERM       | worker ended                 | worker ended
///      v                             v                              v
///   clearing <------------------ clearing                         over
///      '-- no other process is left, or timeout: SIGKILL --> over
/// ```
///
/// `stop` counts once; a repeated one, and a tick that is too early, changes nothing.
struct WorkerEnding: ~Copyable {
    typealias Instant = ContinuousClock.Instant

    enum Signal { case terminate, kill }

    /// What the shell does after a tick.
    enum Step { case wait, kill, finish }

    private enum Phase {
        case running
        case asked(until: Instant)
        case killed
        case clearing(until: Instant)
        case over
    }

    private var phase = Phase.running

    /// The signal for a worker that was stopped before it had a process id.
    var pendingSignal: Signal? {
        switch phase {
        case .asked: .terminate
        case .killed: .kill
        case .running, .clearing, .over: nil
        }
    }

    /// Whether SIGTERM was sent and the grace period of `stop` runs.
    var isAsked: Bool { if case .asked = phase { true } else { false } }

    /// The worker is to be stopped.
    ///
    /// - Returns: the signal for the group.
    mutating func stop(at now: Instant, grace: Duration) -> Signal? {
        guard case .running = phase else { return nil }
        phase = .asked(until: now + grace)
        return .terminate
    }

    /// The worker has ended, asked or not.
    ///
    /// - Parameter othersLive: whether its group has other processes.
    /// - Returns: the signal for the group.
    mutating func workerEnded(at now: Instant, grace: Duration, othersLive: Bool) -> Signal? {
        switch phase {
        case .running:
            guard othersLive else { return finish() }
            phase = .clearing(until: now + grace)
            return .terminate
        case .asked(let end):
            guard othersLive else { return finish() }
            phase = .clearing(until: end)
            return nil
        case .killed: return finish()
        case .clearing, .over: return nil
        }
    }

    /// Time has passed.
    ///
    /// - Parameter othersLive: whether the group has processes other than the worker.
    mutating func tick(at now: Instant, othersLive: Bool) -> Step {
        switch phase {
        case .asked(let end) where now >= end:
            phase = .killed
            return .kill
        case .clearing(let end) where now >= end || !othersLive:
            _ = finish()
            return .finish
        case .over: return .finish
        case .running, .asked, .killed, .clearing: return .wait
        }
    }

    /// The last signal is for processes that the shell has not seen.
    private mutating func finish() -> Signal {
        phase = .over
        return .kill
    }
}
