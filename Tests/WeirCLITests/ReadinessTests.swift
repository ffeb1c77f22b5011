internal import Messages
internal import Testing

@testable internal import WeirCLI

@Suite struct ReadinessTests {
    private typealias Replica = Weir_Admin_V1_ReplicaStatus

    private static func replica(
        _ name: String, _ state: Weir_Admin_V1_ReplicaState, revision: UInt64, failure: String = ""
    ) -> Replica {
        Replica(name: name, state: state, lastFailure: failure, revision: revision)
    }

    private static func worker(
        _ replicas: [Replica], wanted: UInt32, revision: UInt64 = 6, problem: String = "",
        usable: Bool = true
    ) -> Readiness {
        let backend = Weir_Admin_V1_Backend(
            name: "b", kind: .worker(.init(command: ["serve"], replicas: wanted)),
            revision: revision,
            status: .init(usable: usable, problem: problem, replicas: replicas))
        return Readiness(
            backend: backend, revision: 6, change: .updated(from: .init(name: "b", revision: 5)))
    }

    @Test("Workers are ready when each one runs the revision and receives requests")
    func ready() {
        let readiness = Self.worker(
            [Self.replica("b#0", .ready, revision: 6), Self.replica("b#1", .ready, revision: 6)],
            wanted: 2)
        #expect(readiness.isSettled(isExplicit: false) && readiness.problem == nil)
    }

    @Test(
        "Old, surplus and unhealthy workers do not count",
        arguments: [
            ([(UInt64(5), Weir_Admin_V1_ReplicaState.ready), (5, .ready)], 0),
            ([(6, .ready), (5, .ready)], 1), ([(6, .ready), (6, .starting)], 1),
            ([(6, .ready)], 1), ([(6, .ready), (6, .ready), (5, .ready)], 2), ([], 0),
        ])
    func unready(states: [(UInt64, Weir_Admin_V1_ReplicaState)], ready: Int) {
        let replicas = states.enumerated().map { index, state in
            Self.replica("b#\(index)", state.1, revision: state.0)
        }
        let readiness = Self.worker(replicas, wanted: 2)
        #expect(!readiness.isSettled(isExplicit: false))
        #expect(
            readiness.problem?.hasPrefix("\(ready) of 2 workers of revision 6 are ready") == true)
    }

    @Test("The error contains the reason and the revisions that still serve")
    func reason() {
        let old = Self.replica("b#0", .ready, revision: 5)
        let stopped = Self.worker([old], wanted: 1, problem: "the update was stopped: b#0 died")
        #expect(stopped.isSettled(isExplicit: true))
        #expect(
            stopped.problem
                == "0 of 1 workers of revision 6 are ready; the update was stopped: b#0 died; "
                + "the workers of revision 5 still serve")
        // The old worker had already ended.
        let dead = Self.replica("b#0", .down, revision: 6, failure: "exited with code 1")
        let crashed = Self.worker([dead], wanted: 1, usable: false)
        #expect(!crashed.isSettled(isExplicit: false))
        #expect(
            crashed.problem
                == "0 of 1 workers of revision 6 are ready; b#0: exited with code 1")
    }

    @Test("A newer revision ends the wait, and the error names it")
    func superseded() {
        let readiness = Self.worker(
            [Self.replica("b#0", .ready, revision: 7)], wanted: 1, revision: 7)
        #expect(readiness.isSettled(isExplicit: false))
        #expect(readiness.problem?.contains("revision 7 replaced revision 6") == true)
    }

    private static func upstream(
        _ replicas: [Replica], _ addresses: [String], change: Readiness.Change
    ) -> Readiness {
        let backend = Weir_Admin_V1_Backend(
            name: "b", kind: .upstream(.init(addresses: addresses)), revision: 6,
            status: .init(usable: true, replicas: replicas))
        return Readiness(backend: backend, revision: 6, change: change)
    }

    private static let before = Weir_Admin_V1_Backend(
        name: "b", kind: .upstream(.init(addresses: ["old:1"])), revision: 5)

    @Test("For an updated upstream, only the added servers are checked")
    func upstreams() {
        let old = Self.replica("old:1", .down, revision: 6, failure: "refused")
        let new = Self.replica("new:1 (10.0.0.1)", .down, revision: 6, failure: "refused")
        let kept = Self.upstream([old], ["old:1"], change: .updated(from: Self.before))
        #expect(!kept.isSettled(isExplicit: true) && kept.isSettled(isExplicit: false))
        #expect(kept.problem == "old:1: refused" && !kept.isFailure(isExplicit: false))
        let up = Self.upstream(
            [old, Self.replica("up:1", .ready, revision: 6)], ["old:1", "up:1"],
            change: .updated(from: Self.before))
        #expect(up.problem == nil || up.problem?.hasPrefix("up:1") == false)
        let added = Self.upstream(
            [old, new], ["old:1", "new:1"], change: .updated(from: Self.before))
        #expect(!added.isSettled(isExplicit: true) && added.isSettled(isExplicit: false))
        #expect(added.problem == "new:1 (10.0.0.1) is not ready: refused")
        let unresolved = Self.upstream(
            [old], ["old:1", "new:1"], change: .updated(from: Self.before))
        #expect(!unresolved.isSettled(isExplicit: true))
        #expect(unresolved.problem == "new:1 is not ready")
    }

    @Test("A new upstream needs one ready server; without --wait, its absence is a warning")
    func created() {
        let down = Self.replica("a:1", .down, revision: 6, failure: "refused")
        let ready = Self.replica("b:1", .ready, revision: 6)
        let connecting = Self.replica("c:1", .connecting, revision: 6)
        let none = Self.upstream([down], ["a:1"], change: .created)
        #expect(none.problem == "a:1: refused")
        #expect(none.isSettled(isExplicit: false) && !none.isSettled(isExplicit: true))
        #expect(!none.isFailure(isExplicit: false) && none.isFailure(isExplicit: true))
        let one = Self.upstream([down, ready], ["a:1", "b:1"], change: .created)
        #expect(one.isSettled(isExplicit: true) && one.problem == nil)
        #expect(!one.isFailure(isExplicit: true))
        let soon = Self.upstream([down, connecting], ["a:1", "c:1"], change: .created)
        #expect(!soon.isSettled(isExplicit: false) && soon.problem == "a:1: refused")
        let unknown = Self.upstream([], ["a:1"], change: .created)
        #expect(!unknown.isSettled(isExplicit: false))
        #expect(unknown.problem == "no server is connected yet")
    }

    @Test(
        "A worker that cannot start is a failure, with and without --wait",
        arguments: [true, false])
    func worker(isExplicit: Bool) {
        let dead = Self.replica("b#0", .down, revision: 6, failure: "exited with code 1")
        let crashed = Self.worker([dead], wanted: 1, usable: false)
        #expect(crashed.isFailure(isExplicit: isExplicit))
        let good = Self.worker([Self.replica("b#0", .ready, revision: 6)], wanted: 1)
        #expect(!good.isFailure(isExplicit: isExplicit))
    }

    @Test("Changed TLS settings make all servers count as added")
    func tls() {
        var before = Self.before
        before.kind = .upstream(.init(addresses: ["old:1"], tls: .init(caFile: "ca.pem")))
        let old = Self.replica("old:1", .down, revision: 6, failure: "refused")
        let changed = Self.upstream([old], ["old:1"], change: .updated(from: before))
        #expect(changed.problem == "old:1 is not ready: refused")
    }

    @Test("A backend without replicas is ready")
    func handler() {
        let backend = Weir_Admin_V1_Backend(
            name: "b", kind: .handler(.init(handler: "h")), revision: 6,
            status: .init(problem: "missing"))
        let readiness = Readiness(backend: backend, revision: 6, change: .created)
        #expect(readiness.isSettled(isExplicit: false) && readiness.problem == nil)
    }
}
