internal import NIOCore
internal import Synchronization
internal import TestSupport
internal import Testing

@testable internal import Upstream

@Suite struct ReplicaSetTests {
    private static let name = "model.test:80"

    private func names(_ set: ReplicaSet) -> [String] { set.replicas.map(\.name) }

    private func address(_ text: String) throws -> SocketAddress {
        try SocketAddress(ipAddress: text, port: 80)
    }

    // MARK: Members

    @Test("Replicas that stay in an update are the same objects, others are new")
    func updates() throws {
        let set = try ReplicaSet(test: "b", addresses: ["127.0.0.1:1", "127.0.0.1:2"])
        let before = set.replicas
        let addresses = try ["127.0.0.1:3", "127.0.0.1:2"].map { try ReplicaAddress($0) }
        set.update(BackendOptions(), tls: nil, addresses: addresses)
        #expect(names(set) == ["127.0.0.1:3", "127.0.0.1:2"])
        #expect(set.replicas[1] === before[1])
        set.update(BackendOptions())
        #expect(set.replicas[1] === before[1], "options change no member")
        set.remove(before[1])
        #expect(names(set) == ["127.0.0.1:3"] && set.status(of: before[1]) == nil)
    }

    @Test("A name has a replica for each address of its last lookup that succeeded")
    func resolves() throws {
        let set = try ReplicaSet(test: "b", addresses: [Self.name, "127.0.0.1:1"])
        let name = try ReplicaAddress(Self.name)
        #expect(set.names == [name] && set.membership.isResolving)
        #expect(names(set) == ["127.0.0.1:1"] && set.resolvedAddress(of: name) == nil)
        set.resolved(name, to: .success([try address("10.0.0.1"), try address("10.0.0.2")]))
        #expect(!set.membership.isResolving)
        #expect(
            names(set) == ["\(Self.name) (10.0.0.1)", "\(Self.name) (10.0.0.2)", "127.0.0.1:1"])
        #expect(set.replicas[0].host == "model.test")
        let kept = set.replicas[1]
        set.resolved(name, to: .failure(NameResolver.Failure(description: "no DNS")))
        #expect(set.replicas.count == 3, "after a failure, the known addresses stay")
        set.resolved(name, to: .success([try address("10.0.0.2")]))
        #expect(set.replicas.count == 2 && set.replicas[0] === kept)
        #expect(set.resolvedAddress(of: name) == (try address("10.0.0.2")))
        #expect(set.connectedAddress(of: name) == nil)
        kept.connections.store(1, ordering: .relaxed)
        #expect(set.connectedAddress(of: name) == (try address("10.0.0.2")))
    }

    @Test("Only a set with affinity has a ring of its replicas")
    func makesRing() throws {
        let set = try ReplicaSet(test: "b", addresses: ["127.0.0.1:1", "127.0.0.1:2"])
        #expect(set.membership.ring == nil)
        var options = BackendOptions()
        options.replicaAffinity = true
        set.update(options)
        #expect(set.membership.ring != nil)
    }

    // MARK: Problems

    @Test("The problem is the reason for having no replicas, or the latest failure of one")
    func explains() throws {
        let set = try ReplicaSet(test: "b", addresses: [Self.name])
        #expect(set.problem == "it has no replicas")
        let name = try ReplicaAddress(Self.name)
        set.resolved(name, to: .failure(NameResolver.Failure(description: "no DNS")))
        #expect(set.problem == "no DNS")
        set.resolved(name, to: .success([]))
        #expect(set.problem == "it has no replicas", "the failure is over")
        set.setObstacle { "nothing was started" }
        #expect(set.problem == "nothing was started")
        set.resolved(name, to: .success([try address("10.0.0.1"), try address("10.0.0.2")]))
        #expect(set.problem == "no replica is connected")
        set.replicas[0].connectFailed("refused")
        #expect(set.problem == "\(Self.name) (10.0.0.1): refused")
        set.replicas[1].noteFailure("reset")
        #expect(set.problem == "\(Self.name) (10.0.0.2): reset")
    }

    @Test(
        "A set is usable while a replica may be reachable and healthy; it reports changes"
    )
    func isUsable() throws {
        let reports = Mutex(0)
        let set = try ReplicaSet(test: "b", addresses: ["127.0.0.1:1", "127.0.0.1:2"]) {
            reports.withLock { $0 += 1 }
        }
        let (first, second) = (set.replicas[0], set.replicas[1])
        /// Changes a replica, and checks whether the set is usable and how often it has reported.
        func expect(_ isUsable: Bool, _ count: Int, _ change: () -> Void, line: Int = #line) {
            change()
            set.updateUsability()
            #expect(set.isUsable == isUsable, "line \(line)")
            #expect(reports.withLock { $0 } == count, "line \(line)")
        }
        let settings = set.membership.options.health
        expect(true, 0) {}
        expect(true, 0) { first.connectFailed("refused") }
        expect(false, 1) { second.connectFailed("refused") }
        expect(true, 2) {
            second.connected()
            second.connections.store(1, ordering: .relaxed)
        }
        expect(false, 3) { _ = second.checked("NOT_SERVING", settings) }
        expect(false, 3) { _ = first.checked(nil, settings) }
        expect(true, 4) { _ = second.checked(nil, settings) }
        expect(false, 5) { set.update(set.membership.options, tls: nil, addresses: []) }
    }

    @Test("A set whose name has no result yet is usable; one without an address is not")
    func isUsableWhileResolving() throws {
        #expect(try ReplicaSet(test: "b", addresses: [Self.name]).isUsable)
        let set = try ReplicaSet(test: "b", addresses: [Self.name])
        set.resolved(try ReplicaAddress(Self.name), to: .success([]))
        #expect(!set.isUsable)
    }

    // MARK: Outliers

    private static let second: UInt64 = 1_000_000_000

    @Test("Replicas are ejected up to the largest share, and readmitted when their time is over")
    func ejects() throws {
        var options = BackendOptions()
        options.outliers.baseEjection = .seconds(30)
        options.outliers.maxEjectedShare = 0.5
        let set = try ReplicaSet(
            test: "b", addresses: (1...4).map { "127.0.0.1:\($0)" }, options: options)
        for replica in set.replicas { set.eject(replica, at: Self.second, because: "test") }
        let ejected = { set.replicas.map { $0.isEjected.load(ordering: .relaxed) } }
        #expect(ejected() == [true, true, false, false])
        #expect(set.statuses.map(\.ejections) == [1, 1, 0, 0])
        set.eject(set.replicas[0], at: Self.second, because: "again")
        #expect(set.statuses[0].ejections == 1, "it is ejected already")
        set.sweep(at: 31 * Self.second - 1)
        #expect(ejected() == [true, true, false, false])
        set.sweep(at: 31 * Self.second)
        #expect(ejected() == [false, false, false, false])
    }

    @Test("A sweep ejects the replicas whose requests failed in the interval, and begins another")
    func sweeps() throws {
        var options = BackendOptions()
        options.outliers.minimumRequests = 10
        options.outliers.failureShare = 0.5
        let set = try ReplicaSet(
            test: "b", addresses: (1...3).map { "127.0.0.1:\($0)" }, options: options)
        func send(_ replica: Int, failures: Int, of requests: Int) {
            for number in 0..<requests {
                _ = set.replicas[replica].finished(failure: number < failures ? "reset" : nil)
            }
        }
        send(0, failures: 5, of: 10)
        send(1, failures: 4, of: 10)
        send(2, failures: 9, of: 9)
        set.sweep(at: Self.second)
        let states = { set.replicas.map { $0.isEjected.load(ordering: .relaxed) } }
        #expect(states() == [true, false, false])
        // The failures of the last interval do not count again.
        send(2, failures: 1, of: 1)
        set.sweep(at: 2 * Self.second)
        #expect(states() == [true, false, false])
    }

    // MARK: Statuses

    struct Situation: Sendable {
        var connections = 0
        var connectFailed = false
        var checks = true
        var verdict = Replica.Verdict.unknown
        var isEjected = false
    }

    @Test(
        "The state of a replica follows from its connections, health checks and ejection",
        arguments: [
            (Situation(), .connecting), (Situation(connectFailed: true), .down),
            (Situation(connections: 1), .connecting),
            (Situation(connections: 1, checks: false), .ready),
            (Situation(connections: 2, connectFailed: true, verdict: .serving), .ready),
            (Situation(connections: 1, verdict: .notServing), .unhealthy),
            (Situation(connections: 1, checks: false, verdict: .notServing), .ready),
            (Situation(verdict: .serving), .connecting),
            (Situation(connections: 1, verdict: .serving, isEjected: true), .ejected),
            (Situation(connectFailed: true, isEjected: true), .ejected),
        ] as [(Situation, ReplicaStatus.State)])
    func describes(situation: Situation, state: ReplicaStatus.State) throws {
        var options = BackendOptions()
        options.health.interval = situation.checks ? .seconds(1) : .zero
        let set = try ReplicaSet(test: "b", addresses: ["127.0.0.1:1"], options: options)
        let replica = set.replicas[0]
        if situation.connectFailed { replica.connectFailed("refused") }
        replica.connections.store(situation.connections, ordering: .relaxed)
        replica.verdict.store(situation.verdict, ordering: .relaxed)
        replica.isEjected.store(situation.isEjected, ordering: .relaxed)
        let status = try #require(set.statuses.first)
        #expect(status.state == state && status.connections == situation.connections)
        #expect(status.lastFailure?.reason == (situation.connectFailed ? "refused" : nil))
        #expect(
            set.isServing(replica)
                == (state == .ready || situation.isEjected && situation.connections > 0))
    }

    @Test(
        "Consecutive checks change the verdict at the thresholds; the first one decides alone",
        arguments: [
            ([true], [.serving]), ([false], [.notServing]),
            ([true, false, false], [.serving, .serving, .notServing]),
            ([true, false, true, false], [.serving, .serving, .serving, .serving]),
            (
                [false, true, true, true], [.notServing, .notServing, .notServing, .serving]
            ),
        ] as [([Bool], [Replica.Verdict])])
    func checks(results: [Bool], verdicts: [Replica.Verdict]) throws {
        let replica = Replica(name: "r", address: try address("127.0.0.1"))
        var settings = HealthCheck()
        settings.healthyThreshold = 3
        settings.unhealthyThreshold = 2
        var before = Replica.Verdict.unknown
        for (result, verdict) in zip(results, verdicts) {
            let changed = replica.checked(result ? nil : "NOT_SERVING", settings)
            let now = replica.verdict.load(ordering: .relaxed)
            #expect(now == verdict && changed == (now != before))
            before = now
        }
    }
}
