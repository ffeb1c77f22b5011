package import Logging
internal import Synchronization

/// The processes of one worker backend. Changes are made one after the other; a change of the
/// command replaces the processes one by one, each only when its successor is healthy.
package final class WorkerGroup: Sendable {
    private struct State {
        var slots: [WorkerSlot] = []
        var work: Task<Void, Never>?
        var rollFailure: String?
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
        set.isUnusable(because: "no process is healthy yet")
    }

    /// What the slots are doing, in their order.
    package var statuses: [WorkerStatus] { state.withLock { $0.slots.map(\.status) } }

    /// Why the latest change could not be carried out whole; nil when it was, or still is.
    package var rollFailure: String? { state.withLock { $0.rollFailure } }

    /// Makes the processes follow a spec, in the background.
    package func update(_ spec: WorkerSpec) {
        enqueue { await self.follow(spec) }
    }

    /// Stops all processes; returns when they have ended.
    package func stop() async {
        state.withLock { $0.isStopped = true }
        let work = enqueue {
            let slots = self.state.withLock { state in
                defer { state.slots = [] }
                return state.slots
            }
            await self.stop(slots)
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

    private func follow(_ spec: WorkerSpec) async {
        let slots = state.withLock { state in
            state.rollFailure = nil
            return state.slots
        }
        if slots.count > spec.replicas {
            state.withLock { $0.slots.removeLast(slots.count - spec.replicas) }
            await stop(Array(slots[spec.replicas...]))
        }
        for (index, old) in slots.prefix(spec.replicas).enumerated()
        where !old.spec.runsLike(spec) {
            guard await replace(old, at: index, by: spec) else { return }
        }
        for index in slots.count..<max(slots.count, spec.replicas) {
            let slot = makeSlot(index, spec)
            state.withLock { $0.slots.append(slot) }
            slot.start()
        }
    }

    /// Starts a new process beside an old one, and stops that when the new one is healthy.
    ///
    /// - Returns: false when the new one did not get healthy; the old one stays.
    private func replace(_ old: WorkerSlot, at index: Int, by spec: WorkerSpec) async -> Bool {
        let new = makeSlot(index, spec)
        new.start()
        let end = ContinuousClock.now + spec.startTimeout
        while !new.isHealthy {
            guard ContinuousClock.now < end, new.status.restarts == 0,
                !state.withLock({ $0.isStopped })
            else {
                let reason = new.status.lastFailure ?? "was not healthy in time"
                // An old process that does not run is not better.
                guard old.isHealthy else { break }
                await new.stop()
                log.error(
                    "update stopped: the new worker is not fit; the old ones stay",
                    metadata: ["worker": "\(new.name)", "reason": "\(reason)"])
                state.withLock { $0.rollFailure = "the update was stopped: \(new.name) \(reason)" }
                return false
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
        state.withLock { $0.slots[index] = new }
        await old.stop()
        return true
    }

    private func makeSlot(_ index: Int, _ spec: WorkerSpec) -> WorkerSlot {
        WorkerSlot(
            name: "\(set.name)#\(index)", spec: spec, set: set, log: log,
            makeSocket: directory.makeSocketPath)
    }

    private func stop(_ slots: [WorkerSlot]) async {
        await withTaskGroup(of: Void.self) { group in
            for slot in slots { group.addTask { await slot.stop() } }
        }
    }
}
