internal import Logging
internal import NIOCore
internal import Synchronization

/// One of a worker backend's processes, kept running: a process that ends is followed by another
/// one.
///
/// ```
///   start --> listening --> healthy: in the set --> ended: out of the set --.
///     ^          | too late: stopped                                        |
///     '----------'------------------- after the backoff -------------------'
/// ```
final class WorkerSlot: Sendable {
    private struct Facts {
        var spec: WorkerSpec
        var revision: UInt64
        var process: WorkerProcess?
        var restarts: UInt64 = 0
        var lastFailure: String?
        var backoff = Backoff()
    }

    let name: String
    private let set: ReplicaSet
    private let log: Logger
    private let makeSocket: @Sendable () throws(WorkerDirectory.Failure) -> String
    private let facts: Mutex<Facts>
    private let task = Mutex<Task<Void, Never>?>(nil)

    /// - Parameters:
    ///   - revision: the revision of the backend that has the spec.
    ///   - makeSocket: gives a path that no process has used.
    init(
        name: String, spec: WorkerSpec, revision: UInt64, set: ReplicaSet, log: Logger,
        makeSocket: @escaping @Sendable () throws(WorkerDirectory.Failure) -> String
    ) {
        self.name = name
        facts = Mutex(Facts(spec: spec, revision: revision))
        self.set = set
        self.log = log
        self.makeSocket = makeSocket
    }

    /// What the slot is doing, for people.
    var status: WorkerStatus {
        facts.withLock { facts in
            let isStarting = facts.process?.state == .starting
            let replica = facts.process.flatMap { set.status(of: $0.replica) }
            return WorkerStatus(
                replica: replica ?? .init(name: name, state: isStarting ? .starting : .down),
                revision: facts.revision, pid: facts.process?.pid.map(Int64.init),
                restarts: facts.restarts, lastFailure: facts.lastFailure)
        }
    }

    var spec: WorkerSpec { facts.withLock { $0.spec } }

    /// Takes the start timeout of a spec, for the next start, and the grace period, for the next
    /// stop. The process keeps running.
    func takeTimes(of spec: WorkerSpec) {
        facts.withLock { facts in
            facts.spec.startTimeout = spec.startTimeout
            facts.spec.gracePeriod = spec.gracePeriod
            facts.process?.setGracePeriod(spec.gracePeriod)
        }
    }

    /// The process serves a later revision of the backend as well.
    func follows(_ revision: UInt64) { facts.withLock { $0.revision = revision } }

    var isHealthy: Bool { facts.withLock { $0.process?.state == .healthy } }

    func start() {
        task.withLock { $0 = Task { await self.keep() } }
    }

    /// Stops the process: new requests go elsewhere, running ones get the grace period, then
    /// SIGTERM, then SIGKILL. Returns when it has ended.
    func stop() async {
        if let replica = facts.withLock({ $0.process?.replica }) {
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

    private func keep() async {
        while !Task.isCancelled {
            facts.withLock { $0.backoff.attemptStarted(at: NIODeadline.now().uptimeNanoseconds) }
            let ending = await runOnce()
            guard !Task.isCancelled else { return }
            set.isUnusable(because: "\(name) \(ending)")
            log.warning("worker ended", metadata: ["worker": "\(name)", "how": "\(ending)"])
            let wait = facts.withLock { facts in
                facts.lastFailure = ending
                facts.restarts += 1
                let now = NIODeadline.now().uptimeNanoseconds
                facts.backoff.failed(at: now, random: .random(in: 0...1))
                return facts.backoff.retryAt - now
            }
            try? await Task.sleep(for: .nanoseconds(Int64(clamping: wait)))
        }
    }

    /// Runs one process to its end.
    private func runOnce() async -> String {
        let process: WorkerProcess
        do {
            process = try WorkerProcess(
                name: name, socket: try makeSocket(), spec: spec, log: log)
        } catch {
            return "could not be started: \(error)"
        }
        facts.withLock { facts in
            facts.process = process
            // It may have changed since.
            process.setGracePeriod(facts.spec.gracePeriod)
        }
        defer { set.remove(process.replica) }
        return await withTaskGroup(of: String?.self) { group in
            group.addTask { [set] in
                // What it has started may still take connections.
                await process.run { set.remove(process.replica) }
            }
            group.addTask { await self.introduce(process) }
            // The first word is how it ended, or that it is late; then the rest is stopped.
            var ending = "ended"
            for await word in group {
                guard let word else { continue }
                ending = word
                break
            }
            group.cancelAll()
            return ending
        }
    }

    /// Adds the process to the backend once it listens, and reports when it is healthy.
    ///
    /// - Returns: why it must be stopped; nil when it need not.
    private func introduce(_ process: WorkerProcess) async -> String? {
        let timeout = spec.startTimeout
        let end = ContinuousClock.now + timeout
        if await process.listens(until: end) {
            set.add(process.replica)
            while process.state == .starting, !Task.isCancelled, ContinuousClock.now < end {
                if set.isServing(process.replica) {
                    process.becameHealthy()
                    facts.withLock { $0.backoff = Backoff() }
                    log.notice("worker is healthy", metadata: ["worker": "\(name)"])
                    return nil
                }
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
        return process.state == .starting && !Task.isCancelled
            ? "was not healthy within \(timeout)" : nil
    }
}

/// What one slot of a worker backend is doing.
package struct WorkerStatus: Sendable {
    package let replica: ReplicaStatus
    /// The revision of the backend that the process follows.
    package let revision: UInt64
    package let pid: Int64?
    package let restarts: UInt64
    package let lastFailure: String?
}
