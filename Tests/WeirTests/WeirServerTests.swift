internal import HelloWorld
internal import Logging
internal import SwiftProtobuf
internal import Synchronization
internal import Testing
internal import Weir
internal import WeirSwiftProtobuf

@Suite(.timeLimit(.minutes(1))) struct WeirServerTests {
    /// Runs a body against a server on free ports.
    private func withServer(
        _ backends: [HandlerBackend], _ limits: Limits = Limits(), namesBackends: Bool = true,
        _ body: (WeirServer, WeirClient, WeirServer.Addresses) async throws -> Void
    ) async throws {
        var configuration = WeirServer.Configuration()
        configuration.data = Address(host: "127.0.0.1", port: 0)
        configuration.admin = Address(host: "127.0.0.1", port: 0)
        configuration.loops = 2
        configuration.limits = limits
        configuration.namesBackends = namesBackends
        configuration.log.logLevel = .critical
        let server = WeirServer(configuration, backends: backends)
        let addresses = try await server.start()
        let client = WeirClient(addresses.data)
        do {
            try await body(server, client, addresses)
        } catch {
            Issue.record(error)
        }
        await client.close()
        try await server.shutDown()
    }

    private func hello(
        _ client: WeirClient, _ options: WeirClient.CallOptions = .init()
    ) async throws -> String {
        try await client.unary(
            "/helloworld.Greeter/SayHello", Helloworld_HelloRequest(name: "Ada"),
            as: Helloworld_HelloReply.self, options
        ).message
    }

    @Test("A generated stub makes calls of all four kinds, with a shard key")
    func stubs() async throws {
        try await withServer(Greeters.all) { server, client, _ in
            try await server.createEndpoint(
                "greeter", route: "/helloworld.Greeter/", backend: "greeter-v1")
            let stub = Helloworld_GreeterStub(client)
            let ada = Helloworld_HelloRequest(name: "Ada")
            let options = WeirClient.CallOptions(shardKey: "user-7", timeout: .seconds(20))
            #expect(try await stub.sayHello(ada, options).message == "Hello Ada!")
            var streamed: [String] = []
            try await stub.sayHelloStreamReply(ada, options) { streamed.append($0.message) }
            #expect(streamed.count == 3 && streamed.first == "Hello Ada! (1 of 3)")
            let upload = try await stub.sayHelloToAll(options)
            for name in ["Ada", "Grace"] { try await upload.send(.init(name: name)) }
            let all = try await upload.reply().message
            #expect(all.contains("Ada") && all.contains("Grace"))
            let chat = try await stub.sayHelloBidiStream(options)
            var greetings: [String] = []
            for name in ["Ada", "Grace"] {
                try await chat.send(.init(name: name))
                greetings.append(try #require(try await chat.next()).message)
            }
            chat.finish()
            #expect(try await chat.next() == nil && greetings == ["Hello Ada!", "Hello Grace!"])
            #expect(await chat.call.trailingMetadata["x-serve-backend"] == "greeter-v1")
            let cancelled = try await stub.sayHelloBidiStream()
            cancelled.cancel()
            let error = try #require(
                await #expect(throws: RPCError.self) { _ = try await cancelled.next() })
            #expect(error.code == .cancelled)
        }
    }

    @Test("A program serves its backends and changes the traffic policy")
    func serves() async throws {
        try await withServer(Greeters.all) { server, client, _ in
            try await server.createEndpoint(
                "greeter", route: "/helloworld.Greeter/", backend: "greeter-v1")
            #expect(try await hello(client) == "Hello Ada!")
            let moved = try await server.setTraffic("greeter", ["greeter-v2": 1])
            #expect(moved == 1)
            #expect(try await hello(client) == "Good day, Ada.")
        }
    }

    @Test("A program adds upstream backends")
    func servesUpstreams() async throws {
        try await withServer([Greeters.backend("inner", "Answers") { "Inner \($0)" }]) {
            inner, _, innerAddresses in
            try await inner.createEndpoint(
                "greeter", route: "/helloworld.Greeter/", backend: "inner")
            try await withServer([]) { server, client, _ in
                try await server.createBackend("up", upstream: ["\(innerAddresses.data)"])
                try await server.createEndpoint(
                    "greeter", route: "/helloworld.Greeter/", backend: "up")
                for _ in 0..<20 { #expect(try await hello(client) == "Inner Ada") }
                let error = await #expect(throws: RPCError.self) {
                    try await server.createBackend("bad", upstream: ["nowhere"])
                }
                #expect(error?.code == .invalidArgument)
            }
        }
    }

    @Test("Every loop selects the same backend for a key")
    func agreesAcrossLoops() async throws {
        try await withServer(Greeters.all) { server, _, addresses in
            try await server.createEndpoint(
                "greeter", route: "/helloworld.Greeter/", backend: "greeter-v1")
            try await server.setTraffic("greeter", ["greeter-v1": 0.5, "greeter-v2": 0.5])
            var answers: [String: Set<String>] = [:]
            for _ in 0..<8 {
                let client = WeirClient(addresses.data)
                for key in 0..<50 {
                    let answer = try await hello(client, .init(shardKey: "user-\(key)"))
                    answers["user-\(key)", default: []].insert(answer)
                }
                await client.close()
            }
            #expect(answers.values.allSatisfy { $0.count == 1 })
            #expect(Set(answers.values).count == 2)
        }
    }

    @Test("Unknown methods and paths without an endpoint are UNIMPLEMENTED")
    func answersUnimplemented() async throws {
        try await withServer(Greeters.all) { server, client, _ in
            try await server.createEndpoint(
                "greeter", route: "/helloworld.Greeter/", backend: "greeter-v1")
            for path in ["/helloworld.Greeter/Nope", "/other.Service/Method"] {
                let error = await #expect(throws: RPCError.self) {
                    try await client.unary(path, RawMessage([]), as: RawMessage.self)
                }
                #expect(error?.code == .unimplemented)
                #expect(error?.message.contains(path) == true)
            }
        }
    }

    @Test("Requests over the limit of requests in flight are rejected")
    func limitsRequestsInFlight() async throws {
        var limits = Limits()
        limits.maxRequestsInFlightPerLoop = 2
        let slow = HandlerBackend(
            "slow",
            services: [
                Service("t.S").bidirectional("Hold") {
                    (requests: RequestStream<RawMessage>, replies: ReplyWriter<RawMessage>, _) in
                    try await replies.send(RawMessage([1]))
                    for try await _ in requests {}
                }
            ])
        try await withServer([slow], limits) { server, client, _ in
            try await server.createEndpoint("s", route: "/t.S/", backend: "slow")
            var held: [ClientCall] = []
            for _ in 0..<2 {
                let call = try await client.open("/t.S/Hold")
                #expect(try await call.next() == [1])
                held.append(call)
            }
            let third = try await client.open("/t.S/Hold")
            let error = await #expect(throws: RPCError.self) { try await third.next() }
            #expect(error?.code == .resourceExhausted)
            held[0].finish()
            #expect(try await held[0].next() == nil)
            let fourth = try await client.open("/t.S/Hold")
            #expect(try await fourth.next() == [1])
            fourth.cancel()
            held[1].cancel()
        }
    }

    @Test("Blocking handlers over their limit are rejected, and the loop is not blocked")
    func limitsBlockingCalls() async throws {
        var limits = Limits()
        limits.maxBlockingCalls = 0
        let blocking = HandlerBackend(
            "b", blocking: true,
            services: [Service("t.S").unary("Do") { (request: RawMessage, _) in request }])
        try await withServer([blocking], limits) { server, client, _ in
            try await server.createEndpoint("b", route: "/t.S/", backend: "b")
            let error = await #expect(throws: RPCError.self) {
                try await client.unary("/t.S/Do", RawMessage([]), as: RawMessage.self)
            }
            #expect(error?.code == .resourceExhausted)
        }
    }

    @Test("Responses name the backend, unless that is disabled", arguments: [true, false])
    func namesBackends(isOn: Bool) async throws {
        try await withServer(Greeters.all, namesBackends: isOn) { server, client, _ in
            try await server.createEndpoint(
                "greeter", route: "/helloworld.Greeter/", backend: "greeter-v1")
            let call = try await client.open("/helloworld.Greeter/SayHello")
            try await call.send([])
            call.finish()
            while try await call.next() != nil {}
            let name = await call.trailingMetadata["x-serve-backend"]
            #expect(name == (isOn ? "greeter-v1" : nil))
        }
    }

    @Test("Connections over the limit of a loop are closed, and the others continue")
    func limitsConnections() async throws {
        var limits = Limits()
        limits.maxConnections = 0
        try await withServer(Greeters.all, limits) { server, client, _ in
            try await server.createEndpoint(
                "greeter", route: "/helloworld.Greeter/", backend: "greeter-v1")
            let error = await #expect(throws: RPCError.self) { try await hello(client) }
            #expect(error?.code == .unavailable)
        }
        limits.maxConnections = 1
        try await withServer(Greeters.all, limits) { server, client, _ in
            try await server.createEndpoint(
                "greeter", route: "/helloworld.Greeter/", backend: "greeter-v1")
            #expect(try await hello(client) == "Hello Ada!")
        }
    }

    @Test("A handler receives and returns messages of SwiftProtobuf")
    func servesSwiftProtobuf() async throws {
        typealias Time = Proto<SwiftProtobuf.Google_Protobuf_Timestamp>
        let clock = HandlerBackend(
            "clock",
            services: [
                Service("t.Clock").unary("Later") { (request: Time, _) in
                    var reply = request
                    reply.seconds += 1
                    return reply
                }
            ])
        try await withServer([clock]) { server, client, _ in
            try await server.createEndpoint("clock", route: "/t.Clock/", backend: "clock")
            let reply = try await client.unary(
                "/t.Clock/Later", Time(.with { $0.seconds = 41 }), as: Time.self)
            #expect(reply.seconds == 42)
        }
    }

    @Test("Rejected changes have a code and an error with the correct form")
    func explainsRejections() async throws {
        try await withServer(Greeters.all) { server, _, _ in
            await #expect(throws: RPCError.self) {
                try await server.createEndpoint("e", route: "nonsense", backend: "greeter-v1")
            }
            do throws(RPCError) {
                try await server.setTraffic("missing", ["a": 1])
            } catch {
                #expect(error.code == .notFound)
                #expect(!error.metadata.bytes("grpc-status-details-bin").isEmpty)
            }
        }
    }

    @Test(
        "A shadow that blocks its thread does not delay clients", arguments: [false, true])
    func isolates(_ isBlocking: Bool) async throws {
        let shadows = Blocking()
        let candidate = HandlerBackend(
            "candidate", blocking: isBlocking,
            services: [
                Service("helloworld.Greeter").unary("SayHello") {
                    (_: Helloworld_HelloRequest, context) in
                    #expect(context.isShadow)
                    #expect(context.metadata["x-serve-shadow"] == "1")
                    // Like a faulty handler that blocks its thread.
                    shadows.block()
                    return Helloworld_HelloReply(message: "late")
                }
            ])
        let primary = HandlerBackend(
            "primary",
            services: [
                Service("helloworld.Greeter").unary("SayHello") {
                    (request: Helloworld_HelloRequest, context) in
                    #expect(!context.isShadow)
                    return Helloworld_HelloReply(message: "Hello \(request.name)!")
                }
            ])
        try await withServer([primary, candidate]) { server, client, _ in
            try await server.createEndpoint(
                "greeter", route: "/helloworld.Greeter/", backend: "primary")
            try await server.shadowTraffic("greeter", backend: "candidate", proportion: 1)
            for _ in 0..<5 { #expect(try await hello(client) == "Hello Ada!") }
            // All requests were answered while the first shadow was still blocked.
            #expect(shadows.end() == 0)
        }
    }
}

/// Blocks threads until it is released, for at most half a minute.
private final class Blocking: Sendable {
    private let isOver = Atomic(false)
    private let finished = Atomic(0)

    func block() {
        let end = ContinuousClock.now + .seconds(30)
        while !isOver.load(ordering: .relaxed), ContinuousClock.now < end {}
        finished.add(1, ordering: .relaxed)
    }

    /// The number of threads that passed before.
    func end() -> Int {
        isOver.store(true, ordering: .relaxed)
        return finished.load(ordering: .relaxed)
    }
}
