internal import Logging
internal import Serving
internal import Transport
internal import Upstream

/// The replicas of backends on this server. They follow the control state.
///
/// Confined to the control plane.
struct RunningBackends {
    /// A backend with its processes, if it has any.
    struct Running {
        let set: ReplicaSet
        let workers: WorkerGroup?
        var revision: UInt64
    }

    private(set) var all: [String: Running] = [:]
    private let directory: WorkerDirectory
    private let log: Logger
    private let onChange: @Sendable () -> Void
    private let onSchema: @Sendable () -> Void

    /// - Parameters:
    ///   - onChange: called on any thread when a backend becomes usable or stops being so.
    ///   - onSchema: called on any thread when the reflection of a backend has given other
    ///     descriptors.
    init(
        log: Logger, onChange: @escaping @Sendable () -> Void,
        onSchema: @escaping @Sendable () -> Void = {}
    ) {
        self.log = log
        self.onSchema = onSchema
        directory = WorkerDirectory { log.warning("a worker: \($0)") }
        self.onChange = onChange
    }

    /// Starts or updates the replicas of a backend; nil for a handler.
    mutating func run(_ backend: ControlState.Backend) -> ReplicaSet? {
        let isWorker =
            switch backend.kind {
            case .handler: nil as Bool?
            case .upstream: false
            case .worker: true
            }
        guard let isWorker else { return nil }
        var running = all[backend.name]
        if let known = running, (known.workers != nil) != isWorker {
            stop(known)
            running = nil
        }
        if let running, running.revision == backend.revision { return running.set }

        let set =
            running?.set
            ?? ReplicaSet(
                name: backend.name, options: backend.options, log: log, onChange: onChange,
                onSchema: onSchema)
        let workers =
            isWorker
            ? running?.workers ?? WorkerGroup(set, directory: directory, log: log) : nil
        switch backend.kind {
        case .handler: break
        case .upstream(let addresses, let tls):
            do throws(TLSFailure) {
                let loaded: LoadedTLS? = if let tls { try tls.load() } else { nil }
                for warning in loaded?.warnings ?? [] {
                    log.warning("\(warning)", metadata: ["backend": "\(backend.name)"])
                }
                set.update(backend.options, tls: loaded, addresses: addresses)
            } catch {
                // The files were readable on the server that accepted the backend. Plaintext is not
                // a substitute.
                set.update(backend.options, tls: nil, addresses: [])
                set.setObstacle { "invalid TLS settings: \(error.description)" }
            }
        case .worker(let spec):
            set.update(backend.options)
            workers?.update(spec, revision: backend.revision)
        }
        set.schemas.declare(backend.descriptorSet)
        all[backend.name] = Running(set: set, workers: workers, revision: backend.revision)
        return set
    }

    /// Removes the backends that a state lacks; their processes stop in the background.
    mutating func removeAll(missingFrom state: ControlState) {
        for (name, running) in all where !(state.backends[name]?.hasReplicas ?? false) {
            all[name] = nil
            stop(running)
        }
    }

    /// Makes the next call of `run` update each backend, whatever its revision.
    mutating func forgetRevisions() {
        for name in all.keys { all[name]?.revision = 0 }
    }

    private func stop(_ running: Running) {
        if let workers = running.workers { Task { await workers.stop() } }
    }

    /// Removes all backends and returns them, to be stopped.
    mutating func takeAll() -> RunningBackends {
        defer { all = [:] }
        return self
    }

    /// Stops all processes; returns when they have ended.
    func stop() async {
        let groups = all.values.compactMap(\.workers)
        await withTaskGroup(of: Void.self) { group in
            for workers in groups { group.addTask { await workers.stop() } }
        }
        directory.remove()
    }
}
