internal import GRPCWire
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import TestSupport
internal import Testing
internal import Transport

@testable internal import Upstream

@Suite(.timeLimit(.minutes(1))) struct HealthProbeTests {
    private final class Owner: ClientConnectionOwner, Sendable {
        let isReady = Mutex(false)

        func changed(_ connection: ClientConnection) {
            let isReady = connection.state == .ready
            self.isReady.withLock { $0 = isReady }
        }
        func roomFreed(on connection: ClientConnection) {}
    }

    /// The result of one check.
    private func check(_ server: StubServer, _ options: BackendOptions) async throws -> String? {
        let address = try await server.start()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let owner = Owner()
        let connection = try await loop.submit {
            ClientConnection.connect(
                to: .address(address), on: ConnectionLoop(loop), ClientConnection.Options(),
                owner: owner)
        }.get()
        #expect(await eventually { owner.isReady.withLock { $0 } })
        let failure = try await withCheckedThrowingContinuation {
            (waiter: CheckedContinuation<String?, any Error>) in
            loop.execute {
                HealthProbe.run(on: connection, options) { waiter.resume(returning: $0) }
            }
        }
        try await loop.submit { connection.shutDown("the test has ended") }.get()
        try await server.stop()
        return failure
    }

    @Test(
        "The answer of the server decides whether it is healthy, with the reason if it is not",
        arguments: [
            (StubServer.health(1), nil), (StubServer.health(2), "the status is NOT_SERVING"),
            (StubServer.health(3), "the status is SERVICE_UNKNOWN"),
            (StubServer.health(9), "the status is 9"), (.message([]), "the status is 0"),
            // A server without health checks is healthy while it answers.
            (.status(.unimplemented), nil),
            (.status(.notFound, "unknown"), "NOT_FOUND: unknown"),
            (.message([0xff]), "invalid response message"), (.status(.ok), "an empty response"),
            (.reset, "the stream was reset: INTERNAL_ERROR"),
            (.response([":status": "503"], nil, [:]), "503"),
            (
                .response(
                    [":status": "200", "content-type": "application/grpc"], [0, 0, 0, 0, 2, 8, 1],
                    [:]), "no grpc-status"
            ),
            (
                .response(
                    [":status": "200", "content-type": "application/grpc"], [0, 0, 0, 0, 2, 8, 1],
                    ["x-a": "b"]), "no grpc-status"
            ),
        ] as [(StubServer.Answer, String?)])
    func reads(answer: StubServer.Answer, failure: String?) async throws {
        let found = try await check(StubServer(answer), BackendOptions())
        guard let failure else {
            #expect(found == nil)
            return
        }
        #expect(found?.contains(failure) == true, "\(found ?? "healthy")")
    }

    @Test("A server that does not answer fails at the timeout")
    func timesOut() async throws {
        var options = BackendOptions()
        options.health.timeout = .milliseconds(20)
        let found = try await check(StubServer(.silence), options)
        #expect(found == "no response within 0.02 seconds")
    }

    @Test("The request has the service, the timeout and the authority of the settings")
    func asks() async throws {
        var options = BackendOptions()
        options.health.timeout = .seconds(2)
        options.authority = "model.test"
        let server = StubServer(StubServer.health(1))
        #expect(try await check(server, options) == nil)
        let headers = try #require(server.requests.withLock { $0.first })
        func value(_ name: String) -> String? { headers.first { $0.name == name }?.value }
        #expect(value(":path") == "/grpc.health.v1.Health/Check")
        #expect(value(":authority") == "model.test")
        #expect(
            value("grpc-timeout").flatMap { Timeout.parse(Array($0.utf8).span) } == 2_000_000_000)
    }
}
