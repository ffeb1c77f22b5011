internal import FoundationEssentials
internal import GRPCWire
internal import Logging
internal import Messages
internal import NIOCore
internal import NIOPosix
internal import Subprocess
internal import Synchronization
internal import SystemPackage

/// One process of a worker backend, from its start to its end.
///
/// The process is the leader of a session of its own, so that Ctrl-C in Weir's terminal doesn't
/// reach it, and signals reach its children. Should Weir be killed, the kernel kills it
/// (`setpriv`'s `--pdeathsig`, see prctl(2)).
final class WorkerProcess: Sendable {
    enum State: Sendable, Equatable {
        case starting
        case healthy
        /// With how, for people.
        case ended(String)
    }

    private struct Facts {
        var state = State.starting
        var pid: Int32?
    }

    /// Bytes of the last line of output that are part of the reason why the process ended.
    private static let maxLastLineBytes = 200

    let replica: Replica
    private let socket: String
    private let spec: WorkerSpec
    private let log: Logger
    private let output: WorkerOutput
    private let facts = Mutex(Facts())

    init(name: String, socket: String, spec: WorkerSpec, log: Logger) throws {
        self.socket = socket
        self.spec = spec
        var log = log
        log[metadataKey: "worker"] = "\(name)"
        self.log = log
        output = WorkerOutput(log: log, environment: spec.environment)
        replica = Replica(name: name, address: try SocketAddress(unixDomainSocketPath: socket))
    }

    var state: State { facts.withLock { $0.state } }
    var pid: Int32? { facts.withLock { $0.pid } }

    /// Starts the process and returns when it has ended. Cancelling the task stops it: SIGTERM, and
    /// SIGKILL when the grace period is over.
    ///
    /// - Returns: how it ended.
    func run() async -> String {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [
            .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: spec.gracePeriod)
        ]
        let ending: String
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
                let pid = execution.processIdentifier.value
                facts.withLock { $0.pid = pid }
                log.notice("worker started", metadata: ["pid": "\(pid)"])
                for try await buffer in execution.standardOutput {
                    var bytes: [UInt8] = []
                    bytes.append(buffer.bytes)
                    if let pause = output.append(bytes) { try? await Task.sleep(for: pause) }
                }
                output.finish()
            }
            ending =
                switch result.terminationStatus {
                case .exited(let code): "exited with code \(code)" + lastWords
                case .signaled(let signal): "ended by signal \(signal)"
                }
        } catch {
            ending = "could not be run: \(error)"
        }
        facts.withLock { facts in
            facts.state = .ended(ending)
            facts.pid = nil
        }
        return ending
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

    /// Its last line of output, which most often says why it ended.
    private var lastWords: String {
        let line = output.lastLine
        return line.isEmpty ? "" : ": \(line.printable(limit: Self.maxLastLineBytes))"
    }

    /// Returns when the socket takes connections, the process has ended, or the task is cancelled.
    ///
    /// - Returns: whether it takes connections.
    func listens(within timeout: Duration) async -> Bool {
        let end = ContinuousClock.now + timeout
        while state == .starting, !Task.isCancelled, ContinuousClock.now < end {
            let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            if let channel = try? await bootstrap.connect(unixDomainSocketPath: socket).get() {
                try? await channel.close().get()
                return true
            }
            try? await Task.sleep(for: .milliseconds(25))
        }
        return false
    }

    func becameHealthy() {
        facts.withLock { if $0.state == .starting { $0.state = .healthy } }
    }
}
