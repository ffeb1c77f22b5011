internal import GRPCWire
internal import HTTP2Session
internal import Synchronization
internal import TestSupport
internal import Testing
internal import Transport

@testable internal import Serving
@testable internal import Upstream

/// Calls of a backend without a connected replica, on a loop whose clock the test controls.
@Suite struct ForwardedCallTests {
    private func pool(
        _ loop: borrowing TestLoop, addresses: [String]
    ) throws -> (pool: BackendPool, set: ReplicaSet) {
        let set = try ReplicaSet(test: "b", addresses: addresses)
        let pool = BackendPool(loop.state.context, set)
        pool.refresh()
        return (pool, set)
    }

    @Test("Without a replica, a call ends with the reason")
    func refuses() throws {
        let loop = TestLoop()
        let (pool, set) = try pool(loop, addresses: [])
        set.setObstacle { "no process is healthy yet" }
        let source = TestSource([":path": "/p.S/M"])
        let call = loop.begin(source, .replicas(pool))
        #expect(call is ForwardedCall)
        call.start(RequestHead(source.headers))
        #expect(source.status?.code == .unavailable)
        #expect(
            source.status?.message
                == "backend 'b' has no usable replica: no process is healthy yet")
        #expect(loop.state.admission.requestsInFlight == 0)
    }

    @Test("A call that waits for a replica ends at its deadline and leaves the line")
    func endsAtDeadline() throws {
        let loop = TestLoop()
        let (pool, set) = try pool(loop, addresses: ["replica.test:1"])
        let source = TestSource([":path": "/p.S/M"])
        let call = loop.begin(source, .replicas(pool))
        call.setDeadline(timeout: 1_000_000_000)
        call.start(RequestHead(source.headers))
        call.requestArrived([UInt8](repeating: 0, count: 5).span.asBytes, endStream: true)
        #expect(source.status == nil)
        #expect(set.waiting.load(ordering: .relaxed) == 1)
        loop.embedded.advance(by: .seconds(2))
        #expect(source.status?.code == .deadlineExceeded)
        #expect(set.waiting.load(ordering: .relaxed) == 0)
    }

    @Test("A call that waits too long for a replica ends before its deadline")
    func waitsTooLong() throws {
        let loop = TestLoop()
        let (pool, set) = try pool(loop, addresses: ["replica.test:1"])
        let source = TestSource([":path": "/p.S/M"])
        let call = loop.begin(source, .replicas(pool))
        call.setDeadline(timeout: 60_000_000_000)
        call.start(RequestHead(source.headers))
        loop.embedded.advance(by: .seconds(5))
        #expect(source.status?.code == .unavailable)
        #expect(source.status?.message.contains("no connection within 5.0 seconds") == true)
        #expect(set.waiting.load(ordering: .relaxed) == 0)
    }
}
