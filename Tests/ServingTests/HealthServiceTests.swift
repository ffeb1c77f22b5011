internal import GRPCWire
internal import Messages
internal import TestSupport
internal import Testing
internal import Transport

@testable internal import Serving

/// `grpc.health.v1.Health` on a connection without a socket.
@Suite struct HealthServiceTests {
    private typealias Status = HealthBoard.Status

    private let board = HealthBoard()

    private func connect(_ loop: borrowing TestLoop) throws -> TestClient {
        let services = HandlerBackend("weir", services: [.health(board)])
        return try TestClient(loop, port: ServedPort(services: services, plainHTTP: .endpoints))
    }

    private func check(_ client: TestClient, _ name: String) throws -> TestClient.Response {
        let request = Grpc_Health_V1_HealthCheckRequest(service: name)
        return try client.call("/grpc.health.v1.Health/Check", request.serializedBytes())
    }

    private func statuses(_ body: [UInt8]) throws -> [Status] {
        var reader = MessageReader(limit: 1_000)
        try reader.receive(body.span.asBytes)
        var found: [Status] = []
        while let message = reader.take() {
            let bytes = try message.content(limit: 1_000)
            found.append(try Grpc_Health_V1_HealthCheckResponse(serializedBytes: bytes).status)
        }
        return found
    }

    @Test("A check returns the status of a name; during a drain, NOT_SERVING for every name")
    func checks() throws {
        let loop = TestLoop()
        let client = try connect(loop)
        #expect(try statuses(check(client, "").body) == [.serving])
        #expect(try check(client, "e")[.grpcStatus] == "5")
        board.set(["e": .notServing, "p.S": .serving])
        #expect(try statuses(check(client, "e").body) == [.notServing])
        #expect(try statuses(check(client, "p.S").body) == [.serving])
        #expect(try statuses(check(client, "").body) == [.serving], "the server stays SERVING")
        board.drain()
        #expect(board.isDraining)
        for name in ["", "e", "p.S"] {
            #expect(try statuses(check(client, name).body) == [.notServing])
        }
        #expect(try check(client, "unknown")[.grpcStatus] == "5")
    }

    @Test("A list contains the status of every name")
    func lists() throws {
        let loop = TestLoop()
        let client = try connect(loop)
        board.set(["e": .notServing])
        func list() throws -> [String: Status] {
            let body = try client.call("/grpc.health.v1.Health/List", []).body
            let message = Array(body.dropFirst(MessagePrefix.byteCount))
            return try Grpc_Health_V1_HealthListResponse(serializedBytes: message).statuses
                .mapValues(\.status)
        }
        #expect(try list() == ["": .serving, "e": .notServing])
        board.drain()
        #expect(try list() == ["": .notServing, "e": .notServing])
    }

    @Test("A watch receives the current status and each change, and ends with the drain")
    func watches() throws {
        let loop = TestLoop()
        let client = try connect(loop)
        let request = try Grpc_Health_V1_HealthCheckRequest(service: "e").serializedBytes()
        let stream = try client.open([
            ":method": "POST", ":scheme": "http", ":path": "/grpc.health.v1.Health/Watch",
            ":authority": "x", "content-type": ContentType.grpc,
        ])
        let prefix = try #require(MessagePrefix(isCompressed: false, length: request.count))
        try client.send(prefix.bytes + request, on: stream, endStream: true)
        var expected: [Status] = [.serviceUnknown]
        #expect(try statuses(client.response(on: stream).body) == expected)
        let changes: [([String: Status], Status?)] = [
            (["e": .serving], .serving), (["e": .serving, "f": .notServing], nil),
            (["e": .notServing], .notServing), ([:], .serviceUnknown), (["e": .serving], .serving),
        ]
        for (statuses, change) in changes {
            board.set(statuses)
            try client.exchange()
            if let change { expected.append(change) }
            #expect(try self.statuses(client.response(on: stream).body) == expected)
        }
        board.drain()
        try client.exchange()
        #expect(try statuses(client.response(on: stream).body) == expected + [.notServing])
        #expect(!client.response(on: stream).isComplete)
        board.endWatches()
        try client.exchange()
        #expect(client.response(on: stream)[.grpcStatus] == "0")
    }

    @Test("A watch that the client cancels ends its call")
    func cancelsWatch() throws {
        let loop = TestLoop()
        let client = try connect(loop)
        let stream = try client.open([
            ":method": "POST", ":scheme": "http", ":path": "/grpc.health.v1.Health/Watch",
            ":authority": "x", "content-type": ContentType.grpc,
        ])
        try client.send([0, 0, 0, 0, 0], on: stream, endStream: true)
        #expect(loop.state.admission.requestsInFlight == 1)
        try client.reset(stream)
        #expect(loop.state.admission.requestsInFlight == 0)
        board.drain()
        try client.exchange()
        #expect(try statuses(client.response(on: stream).body) == [.serving])
    }
}
