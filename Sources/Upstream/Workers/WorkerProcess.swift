internal import FoundationEssentials
internal import GRPCWire
internal import Logging
internal import Messages
internal import NIOCore
internal import Subprocess
internal import Synchronization
internal import SystemPackage

/// One process of a worker backend, from its start to its end.
///
/// The process is the leader of a session of its own, so that Ctrl-C in Weir's terminal does not
/// reach it, and signals reach its children. When it ends, Weir ends its remaining
/// children. If Weir is killed, the kernel kills it (`setpriv`'s `--pdeathsig`, see prctl(2)).
final class WorkerProcess: Sendable {
    private struct State: ~Copyable {
        /// Nil before the start, and from before its exit code is read.
        var group: ProcessGroup?
        var ending = WorkerEnding()
        var gracePeriod: Duration
    }

    /// Bytes of the last line of output that are part of the reason for the end of the process.
    private static let maxLastLineBytes = 200

    let replica: Replica
    private let socket: String
    private let spec: WorkerSpec
    private let log: Logger
    private let output: WorkerOutput
    private let state: Mutex<State>

    init(name: String, socket: String, spec: WorkerSpec, log: Logger) throws {
        self.socket = socket
        self.spec = spec
        state = Mutex(State(gracePeriod: spec.gracePeriod))
        var log = log
        log[metadataKey: "worker"] = "\(name)"
        self.log = log
        output = WorkerOutput(log: log, environment: spec.environment)
        replica = Replica(name: name, address: try SocketAddress(unixDomainSocketPath: socket))
    }

    var pid: Int32? { state.withLock { $0.group?.leader } }

    /// Sets the time between SIGTERM and SIGKILL, for the next stop.
    func setGracePeriod(_ period: Duration) { state.withLock { $0.gracePeriod = period } }

    /// Starts the process and returns when it and its process group have ended. Cancelling the task
    /// stops them: SIGTERM, and SIGKILL when the grace period is over.
    ///
    /// - Parameter onEnd: called when the process has ended, before what it has started.
    /// - Returns: how it ended.
    func run(_ onEnd: @escaping @Sendable () -> Void) async -> String {
        // The cancellation must not reach Subprocess, whose signals and grace period are set at the
        // start.
        let work = Task { await self.execute(onEnd) }
        return await withTaskCancellationHandler {
            await work.value
        } onCancel: {
            Task { await self.stop() }
        }
    }

    private func execute(_ onEnd: @escaping @Sendable () -> Void) async -> String {
        var options = PlatformOptions()
        options.createSession = true
        let child = OwnProcesses.shared.begin()
        defer { child.ended() }
        do {
            let result = try await Subprocess.run(
                .path("/usr/bin/setpriv"),
                arguments: Arguments(["--pdeathsig", "KILL", "--"] + spec.command),
                environment: environment,
                workingDirectory: spec.workingDirectory.isEmpty
                    ? nil : FilePath(spec.workingDirectory),
                platformOptions: options, input: .none, output: .sequence,
                error: .combinedWithOutput
            ) { execution in
                let group = ProcessGroup(leader: execution.processIdentifier.value)
                child.started(group.leader)
                started(group)
                do {
                    for try await buffer in execution.standardOutput {
                        var bytes: [UInt8] = []
                        bytes.append(buffer.bytes)
                        if let pause = output.append(bytes) { try? await Task.sleep(for: pause) }
                    }
                } catch {
                    log.debug("the worker's output has ended", metadata: ["error": "\(error)"])
                }
                output.finish()
                await end(group, onEnd)
                child.groupEnded()
            }
            return switch result.terminationStatus {
            case .exited(let code): "exited with code \(code)" + lastOutput
            case .signaled(let signal): "ended by signal \(signal)"
            }
        } catch {
            return "could not be run: \(error)"
        }
    }

    private var environment: Environment {
        let changes = WorkerEnvironment.changes(
            to: ProcessInfo.processInfo.environment.keys, socket: socket, settings: spec.environment
        )
        var updates: [Environment.Key: String?] = [:]
        for (name, value) in changes {
            if let key = Environment.Key(rawValue: name) { updates.updateValue(value, forKey: key) }
        }
        return .inherit.updating(updates)
    }

    private func started(_ group: ProcessGroup) {
        state.withLock { state in
            state.group = group
            // It may have been stopped before it had a process id.
            if let signal = state.ending.pendingSignal { group.send(signal) }
        }
        log.notice("worker started", metadata: ["pid": "\(group.leader)"])
    }

    /// Asks the process to end, and kills it and its group when the grace period is over.
    private func stop() async {
        state.withLock { state in
            let signal = state.ending.stop(at: .now, grace: state.gracePeriod)
            if let signal { state.group?.send(signal) }
        }
        while true {
            let isOver = state.withLock { state in
                // `end` deals with the rest of the group.
                guard state.ending.isAsked else { return true }
                guard case .kill = state.ending.tick(at: .now, othersLive: true) else {
                    return false
                }
                state.group?.send(.kill)
                return true
            }
            if isOver { return }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Waits for the end of the process, and then ends what is left of its group. The exit code is
    /// read after that.
    private func end(_ group: ProcessGroup, _ onEnd: () -> Void) async {
        // Most often the end of the output is that of the process.
        var pause = Duration.milliseconds(1)
        while !group.leaderHasEnded {
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(100))
        }
        onEnd()
        var othersLive = group.hasOthers
        state.withLock { state in
            let signal = state.ending.workerEnded(
                at: .now, grace: state.gracePeriod, othersLive: othersLive)
            if let signal { group.send(signal) }
        }
        pause = .milliseconds(5)
        while true {
            let step = state.withLock { state in
                let step = state.ending.tick(at: .now, othersLive: othersLive)
                guard case .finish = step else { return step }
                group.send(.kill)
                state.group = nil
                return step
            }
            if case .finish = step { return }
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(200))
            othersLive = group.hasOthers
        }
    }

    /// Its last line of output, which most often states why it ended.
    private var lastOutput: String {
        let line = output.lastLine
        return line.isEmpty ? "" : ": \(line.printable(limit: Self.maxLastLineBytes))"
    }
}
