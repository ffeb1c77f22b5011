internal import FoundationEssentials
internal import Logging
internal import NIOCore
internal import TestSupport
internal import Testing

@testable internal import Upstream

/// Real processes of worker backends.
@Suite(.timeLimit(.minutes(2))) struct WorkerSlotTests {
    private let folder = TemporaryFolder()

    private func spec(_ script: String) -> WorkerSpec {
        var spec = WorkerSpec(command: ["/bin/sh", "-c", script])
        spec.gracePeriod = .seconds(5)
        return spec
    }

    private func slot(_ spec: WorkerSpec, _ set: ReplicaSet) -> WorkerSlot {
        let path = folder.path + "/1.sock"
        return WorkerSlot(
            name: "b#0", spec: spec, revision: 7, set: set, log: .silent
        ) { () throws(WorkerDirectory.Failure) in path }
    }

    private var socket: String { folder.path + "/1.sock" }

    // MARK: WorkerProcess

    private func process(_ script: String) throws -> WorkerProcess {
        try WorkerProcess(name: "b#0", socket: socket, spec: spec(script), log: .silent)
    }

    @Test(
        "The end of a process is reported with its last line of output",
        arguments: [
            ("exit 0", "exited with code 0"), ("echo broken; exit 7", "exited with code 7: broken"),
            ("kill -KILL $$", "ended by signal 9"), ("echo $WEIR_WORKER_SOCKET; exit 1", "/1.sock"),
            ("ulimit -c 0; kill -SEGV $$", "ended by signal 11"),
        ])
    func reportsEnd(script: String, ending: String) async throws {
        let process = try process(script)
        let found = await process.run {}
        #expect(found.contains(ending), "\(found)")
        #expect(process.pid == nil)
    }

    @Test("A program that does not exist cannot be run")
    func reportsMissingProgram() async throws {
        let spec = WorkerSpec(command: ["/no/such/program"])
        let process = try WorkerProcess(name: "b#0", socket: socket, spec: spec, log: .silent)
        let ending = await process.run {}
        #expect(ending.contains("/no/such/program") || ending.contains("127"), "\(ending)")
    }

    @Test("A process that ignores SIGTERM is killed after its grace period, with its children")
    func kills() async throws {
        let mark = folder.path + "/mark"
        let process = try process("trap '' TERM; touch \(mark); sleep 600 & sleep 600; sleep 600")
        process.setGracePeriod(.milliseconds(50))
        let run = Task { await process.run {} }
        #expect(await eventually { FileManager.default.fileExists(atPath: mark) })
        let group = ProcessGroup(leader: try #require(process.pid))
        run.cancel()
        #expect(await run.value == "ended by signal 9")
        #expect(await eventually { !group.hasOthers })
    }

    // MARK: WorkerSlot

    @Test("A slot reports the state of its process, starts it again, and stops it")
    func restarts() async throws {
        let set = try ReplicaSet(test: "b")
        let mark = folder.path + "/mark"
        // The first process fails, the second one only waits.
        let slot = slot(spec("[ -e \(mark) ] && exec sleep 600; touch \(mark); exit 3"), set)
        #expect(slot.problem == "b#0 has not been started")
        slot.start()
        #expect(await eventually { slot.status.restarts == 1 && slot.status.pid != nil })
        let status = slot.status
        #expect(status.replica.state == .starting && status.revision == 7)
        #expect(status.lastFailure == "exited with code 3")
        #expect(slot.problem == "b#0 exited with code 3; it is starting again")
        slot.follows(9)
        #expect(slot.status.revision == 9)
        await slot.stop()
        #expect(slot.status.pid == nil && set.replicas.isEmpty)
    }

    @Test("A process that is not healthy at its start timeout is stopped, with the reason")
    func isLate() async throws {
        let set = try ReplicaSet(test: "b")
        var spec = spec("exec sleep 600")
        spec.startTimeout = .milliseconds(100)
        let slot = slot(spec, set)
        slot.start()
        #expect(await eventually { slot.status.restarts > 0 })
        #expect(slot.status.lastFailure == "was not healthy within 0.1 seconds")
        await slot.stop()
    }

    // MARK: WorkerGroup

    private func group(_ set: ReplicaSet) -> WorkerGroup {
        WorkerGroup(
            set, directory: WorkerDirectory(in: [.init(variable: "T", path: folder.path)]),
            log: .silent)
    }

    @Test("A group has as many processes as its spec, and the set has their problem")
    func followsSpec() async throws {
        let set = try ReplicaSet(test: "b")
        let group = group(set)
        #expect(set.problem == "no process has been started")
        var spec = spec("exec sleep 600")
        for (replicas, revision) in [(2, UInt64(1)), (3, 2), (1, 3)] {
            spec.replicas = replicas
            group.update(spec, revision: revision)
            #expect(
                await eventually {
                    group.statuses.count == replicas
                        && group.statuses.allSatisfy { $0.pid != nil && $0.revision == revision }
                })
        }
        #expect(group.statuses.map(\.replica.name) == ["b#0"])
        #expect(set.problem == "b#0 is starting")
        #expect(group.updateFailure == nil)
        await group.stop()
        #expect(group.statuses.isEmpty)
    }

    @Test("The problem of a set is that of the latest process, not of an earlier one")
    func forgetsEarlierFailures() async throws {
        let set = try ReplicaSet(test: "b")
        let group = group(set)
        let mark = folder.path + "/mark"
        group.update(
            spec("[ -e \(mark) ] && exec sleep 600; touch \(mark); echo first cause; exit 3"),
            revision: 1)
        #expect(
            await eventually {
                set.problem == "b#0 exited with code 3: first cause; it is starting again"
            })
        #expect(await eventually { group.statuses.first?.pid != nil })
        let pid = try #require(group.statuses.first?.pid)
        ProcessGroup(leader: Int32(pid)).send(.kill)
        #expect(await eventually { set.problem.hasPrefix("b#0 ended by signal 9") })
        await group.stop()
    }
}
