internal import HelloWorld
internal import Logging
internal import ServiceLifecycle
internal import Testing
internal import Weir
internal import WeirServiceLifecycle

@Suite(.timeLimit(.minutes(1))) struct WeirServiceTests {
    /// A signal from one task to another, which may arrive before the other waits for it.
    private struct Event<Value: Sendable>: Sendable {
        private let stream: AsyncStream<Value>
        private let continuation: AsyncStream<Value>.Continuation

        init() { (stream, continuation) = AsyncStream.makeStream() }

        func send(_ value: Value) { continuation.yield(value) }

        func value() async throws -> Value { try #require(await stream.first { _ in true }) }
    }

    /// Why the program of a test ends.
    private struct Failure: Error, Equatable {}

    private func server(_ backends: [HandlerBackend] = Greeters.all) -> WeirServer {
        var configuration = WeirServer.Configuration()
        configuration.data = Address(host: "127.0.0.1", port: 0)
        configuration.admin = Address(host: "127.0.0.1", port: 0)
        configuration.loops = 2
        configuration.log.logLevel = .critical
        return WeirServer(configuration, backends: backends)
    }

    private func group(_ service: WeirService) -> ServiceGroup {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return ServiceGroup(services: [service], logger: logger)
    }

    private func hello(_ client: WeirClient) async throws -> String {
        try await client.unary(
            "/helloworld.Greeter/SayHello", Helloworld_HelloRequest(name: "Ada"),
            as: Helloworld_HelloReply.self
        ).message
    }

    /// Whether a server reports SERVING; throws when it accepts no connection.
    private func isServing(_ client: WeirClient) async throws -> Bool {
        // Field 1 of the response is the status; 1 is SERVING.
        try await client.unary(
            "/grpc.health.v1.Health/Check", RawMessage([]), as: RawMessage.self
        ).bytes == [8, 1]
    }

    /// A backend whose answers wait.
    private func slowBackend(begun: Event<Void>, ending: Event<Void>) -> HandlerBackend {
        let service = Service("helloworld.Greeter")
            .unary("SayHello") { (request: Helloworld_HelloRequest, _) in
                begun.send(())
                try await ending.value()
                return Helloworld_HelloReply(message: "Hello \(request.name)!")
            }
        return HandlerBackend("slow", services: [service])
    }

    @Test("A graceful shutdown of the group lets running calls finish, and accepts no others")
    func drains() async throws {
        let (begun, ending) = (Event<Void>(), Event<Void>())
        let listening = Event<WeirServer.Addresses>()
        let server = server([slowBackend(begun: begun, ending: ending)])
        let group = group(
            WeirService(server) { addresses in
                try await server.createEndpoint(
                    "greeter", route: "/helloworld.Greeter/", backend: "slow")
                listening.send(addresses)
            })
        let running = Task { try await group.run() }
        let addresses = try await listening.value()
        let client = WeirClient(addresses.data)
        let other = WeirClient(addresses.data)
        #expect(try await isServing(other))
        let call = Task { try await hello(client) }
        try await begun.value()

        await group.triggerGracefulShutdown()
        while (try? await isServing(other)) == true { await Task.yield() }
        ending.send(())
        #expect(try await call.value == "Hello Ada!")
        try await running.value
        await #expect(throws: RPCError.self) { try await isServing(other) }
        await client.close()
        await other.close()
    }

    @Test("An error at the start ends the group, and the server with it")
    func passesErrors() async throws {
        let listening = Event<WeirServer.Addresses>()
        let group = group(
            WeirService(server()) { addresses in
                listening.send(addresses)
                throw Failure()
            })
        await #expect(throws: Failure()) { try await group.run() }
        let client = WeirClient(try await listening.value().data)
        await #expect(throws: RPCError.self) { try await isServing(client) }
        await client.close()
    }

    @Test("The error of a server that cannot start ends the group")
    func passesErrorsOfServers() async throws {
        var configuration = WeirServer.Configuration()
        configuration.store = .sqlite(path: "/dev/null/weir.db")
        configuration.log.logLevel = .critical
        let group = group(WeirService(WeirServer(configuration, backends: [])))
        await #expect(throws: StateStorage.Failure.self) { try await group.run() }
    }

    @Test("A cancelled group closes the server")
    func cancels() async throws {
        let listening = Event<WeirServer.Addresses>()
        let group = group(WeirService(server()) { listening.send($0) })
        let running = Task { try await group.run() }
        let client = WeirClient(try await listening.value().data)
        #expect(try await isServing(client))
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }
        await #expect(throws: RPCError.self) { try await isServing(client) }
        await client.close()
    }
}
