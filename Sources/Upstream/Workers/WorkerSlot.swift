internal import Logging
internal import NIOCore
internal import Synchronization

/// One of a worker backend's processes. It starts another process when one ends, as its
/// `WorkerMachine` decides.
final class WorkerSlot: Sendable {
    private struct State: ~Copyable {
        var spec: WorkerSpec
        var revision: UInt64
        var process: WorkerProcess?
        var machine = WorkerMachine()
    }

    let name: String
    private let set: ReplicaSet
    private let log: Logger
    private let makeSocket: @Sendable () throws(WorkerDirectory.Failure) -> String
    private let state: Mutex<State>
    private let task = Mutex<Task<Void, Never>?>(nil)

    /// - Parameters:
    ///   - revision: the revision of the backend that has the spec.
    ///   - makeSocket: returns a path that no process has used.
    init(
        name: String, spec: WorkerSpec, revision: UInt64, set: ReplicaSet, log: Logger,
        makeSocket: @escaping @Sendable () throws(WorkerDirectory.Failure) -> String
    ) {
        self.name = name
        state = Mutex(State(spec: spec, revision: revision))
        self.set = set
        self.log = log
        self.makeSocket = makeSocket
    }

    /// The status of the slot.
    var status: WorkerStatus {
        state.withLock { state in
            let replica = state.process.flatMap { set.status(of: $0.replica) }
            return WorkerStatus(
                replica: replica
                    ?? .init(name: name, state: state.machine.isStarting ? .starting : .down),
                revision: state.revision, pid: state.process?.pid.map(Int64.init),
                restarts: state.machine.restarts,
                lastFailure: state.machine.obstacle ?? replica?.lastFailure?.reason
                    ?? state.machine.lastFailure)
        }
    }

    var spec: WorkerSpec { state.withLock { $0.spec } }

    /// Takes the start timeout of a spec for the next start, and its grace period for the next
    /// stop. The process continues to run.
    func takeTimes(of spec: WorkerSpec) {
        state.withLock { state in
            state.spec.startTimeout = spec.startTimeout
            state.spec.gracePeriod = spec.gracePeriod
            state.process?.setGracePeriod(spec.gracePeriod)
        }
    }

    /// The process also serves a later revision of the backend.
    func follows(_ revision: UInt64) { state.withLock { $0.revision = revision } }

    var isHealthy: Bool { state.withLock { $0.machine.isHealthy } }

    /// Why the slot serves no requests now; nil if it is healthy.
    var problem: String? { state.withLock { $0.machine.problem }.map { "\(name) \($0)" } }

    func start() {
        task.withLock { $0 = Task { await self.runProcesses() } }
    }

    /// Stops the process: it receives no new requests, running requests get the grace period, then
    /// it gets SIGTERM, then SIGKILL. Returns when it has ended.
    func stop() async {
        if let replica = state.withLock({ $0.process?.replica }) {
            set.remove(replica)
            await set.allPoolsFollow()
            let end = ContinuousClock.now + spec.gracePeriod
            while replica.requestsInFlight > 0, ContinuousClock.now < end {
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
        let task = task.withLock { $0 }
        task?.cancel()
        await task?.value
    }

    private func runProcesses() async {
        while !Task.isCancelled {
            state.withLock { $0.machine.started(at: Self.now, timeout: $0.spec.startTimeout) }
            let ending = await runProcess()
            guard !Task.isCancelled else { return }
            log.warning("worker ended", metadata: ["worker": "\(name)", "how": "\(ending)"])
            let pause = state.withLock {
                $0.machine.ended(ending, at: Self.now, random: .random(in: 0...1))
            }
            try? await Task.sleep(for: .nanoseconds(Int64(clamping: pause)))
        }
    }

    private static var now: UInt64 { NIODeadline.now().uptimeNanoseconds }

    /// Runs one process to its end.
    private func runProcess() async -> String {
        let process: WorkerProcess
        do {
            process = try WorkerProcess(
                name: name, socket: try makeSocket(), spec: spec, log: log)
        } catch {
            return "could not be started: \(error)"
        }
        state.withLock { state in
            state.process = process
            // It may have changed since.
            process.setGracePeriod(state.spec.gracePeriod)
        }
        defer { set.remove(process.replica) }
        return await withTaskGroup(of: String?.self) { group in
            group.addTask { [self, set] in
                // Processes that it started may still accept connections.
                await process.run {
                    self.state.withLock { $0.machine.leaderEnded() }
                    set.remove(process.replica)
                }
            }
            group.addTask { await self.introduce(process) }
            // The first result is how it ended, or that it is late; then the rest is stopped.
            var ending = "ended"
            for await result in group {
                guard let result else { continue }
                ending = result
                break
            }
            group.cancelAll()
            return ending
        }
    }

    /// Adds the process to the backend when it answers with HTTP/2, and reports when it is healthy.
    ///
    /// - Returns: why it must be stopped; nil when it need not.
    private func introduce(_ process: WorkerProcess) async -> String? {
        var isAdded = false
        while !Task.isCancelled {
            let sight: WorkerMachine.Sight
            if isAdded {
                sight = set.sight(of: process.replica)
            } else {
                switch await WorkerProbe.run(process.replica.address) {
                case .ready:
                    // The slot was stopped meanwhile, and has removed the replica.
                    guard !Task.isCancelled else { return nil }
                    set.add(process.replica)
                    isAdded = true
                    sight = .starting
                case .notListening: sight = .starting
                case .failed(let reason): sight = .failing(reason)
                }
            }
            let (check, timeout, obstacle) = state.withLock {
                ($0.machine.check(at: Self.now, sight), $0.spec.startTimeout, $0.machine.obstacle)
            }
            switch check {
            case .again: try? await Task.sleep(for: .milliseconds(isAdded ? 10 : 25))
            case .healthy:
                log.notice("worker is healthy", metadata: ["worker": "\(name)"])
                return nil
            case .late:
                return "was not healthy within \(timeout)" + (obstacle.map { ": \($0)" } ?? "")
            case .done:
                set.remove(process.replica)
                return nil
            }
        }
        return nil
    }
}

extension ReplicaSet {
    /// What the connections and health checks of a new worker show.
    fileprivate func sight(of replica: Replica) -> WorkerMachine.Sight {
        if isServing(replica) { return .serving }
        return replica.withDetail { $0.lastFailure }.map { .failing($0.reason) } ?? .starting
    }
}

/// The status of one slot of a worker backend.
package struct WorkerStatus: Sendable {
    package let replica: ReplicaStatus
    /// The revision of the backend that the process follows.
    package let revision: UInt64
    package let pid: Int64?
    package let restarts: UInt64
    /// Why the process does not serve, or its last failure, or how the process before it ended.
    package let lastFailure: String?
}
