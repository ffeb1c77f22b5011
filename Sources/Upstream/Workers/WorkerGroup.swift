package import Logging
internal import Synchronization

/// The processes of one worker backend. Updates are applied in sequence. An update of the command
/// replaces the processes one by one, each when its successor is healthy. A newer update does not
/// wait for that.
package final class WorkerGroup: Sendable {
    /// A spec, and the revision of the backend that has it.
    private struct Update: Equatable {
        let spec: WorkerSpec
        let revision: UInt64
    }

    private struct State {
        var slots: [WorkerSlot] = []
        /// The latest update. The processes follow it when the updates before it are applied.
        var wanted: Update?
        var work: Task<Void, Never>?
        /// Slots that are being stopped, by number.
        var retiring: [Int: Task<Void, Never>] = [:]
        var retired = 0
        /// Why an update was stopped.
        var failure: (update: Update, reason: String)?
        var isStopped = false
    }

    package let set: ReplicaSet
    private let log: Logger
    private let directory: WorkerDirectory
    private let state = Mutex(State())

    package init(_ set: ReplicaSet, directory: WorkerDirectory, log: Logger) {
        self.set = set
        self.directory = directory
        var log = log
        log[metadataKey: "backend"] = "\(set.name)"
        self.log = log
        set.setObstacle { [weak self] in self?.problem }
    }

    /// Why the first slot that is not healthy serves no requests.
    private var problem: String? {
        let slots = state.withLock { $0.slots }
        return slots.isEmpty
            ? "no process has been started" : slots.lazy.compactMap(\.problem).first
    }

    /// The statuses of the slots, in their order.
    package var statuses: [WorkerStatus] { state.withLock { $0.slots }.map(\.status) }

    /// Why the latest update was stopped; nil while it runs and after its success.
    package var updateFailure: String? {
        state.withLock { state in
            state.failure.flatMap { $0.update == state.wanted ? $0.reason : nil }
        }
    }

    /// Makes the processes follow a spec, in the background. It supersedes an earlier
    /// update of the command that still waits for a process.
    ///
    /// - Parameter revision: the revision of the backend that has the spec.
    package func update(_ spec: WorkerSpec, revision: UInt64) {
        let update = Update(spec: spec, revision: revision)
        state.withLock { $0.wanted = update }
        enqueue { await self.follow(update) }
    }

    /// Stops all processes. Returns when they have ended.
    package func stop() async {
        state.withLock { $0.isStopped = true }
        let work = enqueue {
            let slots = self.state.withLock { state in
                defer { state.slots = [] }
                return state.slots
            }
            await self.stop(slots)
            for task in self.state.withLock({ Array($0.retiring.values) }) { await task.value }
        }
        await work.value
    }

    @discardableResult
    private func enqueue(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        state.withLock { state in
            let before = state.work
            let work = Task {
                await before?.value
                await body()
            }
            state.work = work
            return work
        }
    }

    private func follow(_ update: Update) async {
        let spec = update.spec
        let slots = state.withLock { state in
            // A newer update is next.
            state.wanted == update && !state.isStopped ? state.slots : nil
        }
        guard let slots else { return }
        for slot in slots {
            slot.takeTimes(of: spec)
            if slot.spec.runsLike(spec) { slot.follows(update.revision) }
        }
        if slots.count > spec.replicas {
            state.withLock { $0.slots.removeLast(slots.count - spec.replicas) }
            await stop(Array(slots[spec.replicas...]))
        }
        for (index, old) in slots.prefix(spec.replicas).enumerated()
        where !old.spec.runsLike(spec) {
            guard await replace(old, at: index, by: update) else { return }
        }
        for index in slots.count..<max(slots.count, spec.replicas) {
            let slot = makeSlot(index, update)
            state.withLock { $0.slots.append(slot) }
            slot.start()
        }
    }

    /// Starts a new process beside an old one, and stops the old one when the new one is healthy.
    ///
    /// - Returns: false if the old one stays.
    private func replace(_ old: WorkerSlot, at index: Int, by update: Update) async -> Bool {
        let spec = update.spec
        guard !isSuperseded(spec) else { return false }
        let new = makeSlot(index, update)
        new.start()
        let start = ContinuousClock.now
        while true {
            let (isStopped, timeout) = state.withLock { state in
                (state.isStopped, (state.wanted?.spec ?? spec).startTimeout)
            }
            let status = new.status
            let facts = Succession(
                newIsHealthy: new.isHealthy, newHasEnded: status.restarts > 0,
                isLate: ContinuousClock.now >= start + timeout, oldIsHealthy: old.isHealthy,
                isStopped: isStopped, isSuperseded: isSuperseded(spec))
            switch facts.step {
            case .wait: try? await Task.sleep(for: .milliseconds(20))
            case .replace:
                state.withLock { $0.slots[index] = new }
                await old.stop()
                return true
            case .giveWay:
                retire(new)
                return false
            case .keepOld:
                let reason = status.lastFailure ?? "was not healthy in time"
                retire(new)
                log.error(
                    "update stopped: the new worker did not become healthy; the old workers stay",
                    metadata: ["worker": "\(new.name)", "reason": "\(reason)"])
                state.withLock {
                    $0.failure = (update, "the update was stopped: \(new.name) \(reason)")
                }
                return false
            }
        }
    }

    /// Whether a newer spec needs other processes.
    private func isSuperseded(_ spec: WorkerSpec) -> Bool {
        state.withLock { state in state.wanted.map { !$0.spec.runsLike(spec) } ?? false }
    }

    /// Stops a slot in the background: it may take the whole grace period.
    private func retire(_ slot: WorkerSlot) {
        state.withLock { state in
            let number = state.retired
            state.retired &+= 1
            state.retiring[number] = Task {
                await slot.stop()
                self.state.withLock { $0.retiring[number] = nil }
            }
        }
    }

    private func makeSlot(_ index: Int, _ update: Update) -> WorkerSlot {
        WorkerSlot(
            name: "\(set.name)#\(index)", spec: update.spec, revision: update.revision, set: set,
            log: log, makeSocket: directory.makeSocketPath)
    }

    private func stop(_ slots: [WorkerSlot]) async {
        await withTaskGroup(of: Void.self) { group in
            for slot in slots { group.addTask { await slot.stop() } }
        }
    }
}
