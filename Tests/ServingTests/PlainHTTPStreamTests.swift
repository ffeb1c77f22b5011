internal import GRPCWire
internal import Messages
internal import TestSupport
internal import Testing
internal import Transport

@testable internal import Serving

/// Plain HTTP requests over HTTP/2, on a channel without a socket.
@Suite struct PlainHTTPStreamTests {
    /// A backend that answers with the method and the body.
    private func install(_ loop: borrowing TestLoop) {
        let service = Service.dynamic { request, _ in
            Weir_V1_CallResponse(
                payload: Array("\(request.httpMethod) ".utf8) + request.payload,
                contentType: "text/plain")
        }
        loop.install(routes: ["/app/"], HandlerBackend("b", services: [service]))
    }

    private static func head(_ method: String) -> KeyValuePairs<String, String> {
        [":method": method, ":scheme": "http", ":path": "/app/x", ":authority": "h"]
    }

    @Test("A body in pieces is answered when it is complete", arguments: [1, 2, 100])
    func answers(pieceBytes: Int) throws {
        let loop = TestLoop()
        install(loop)
        let client = try TestClient(loop)
        let stream = try client.open(Self.head("POST"))
        let body = Array("body".utf8)
        for start in stride(from: 0, to: body.count, by: pieceBytes) {
            #expect(client.response(on: stream).headers.isEmpty)
            let end = min(start + pieceBytes, body.count)
            try client.send(Array(body[start..<end]), on: stream, endStream: end == body.count)
        }
        let response = client.response(on: stream)
        #expect(response.isComplete && response[.status] == "200")
        #expect(response.text == "POST body" && response["content-length"] == "9")
        #expect(response["date"]?.hasSuffix(" GMT") == true)
        #expect(loop.state.bufferedBytes == 0)
    }

    @Test("A response to HEAD has the length of the body, but no body")
    func answersHead() throws {
        let loop = TestLoop()
        install(loop)
        let response = try TestClient(loop).request(Self.head("HEAD"))
        #expect(response.isComplete && response[.status] == "200" && response.body.isEmpty)
        #expect(response["content-length"] == "5")
    }

    @Test("An invalid head is refused before the body arrives, and the body is then ignored")
    func refusesHead() throws {
        let loop = TestLoop()
        install(loop)
        let client = try TestClient(loop)
        let stream = try client.open([
            ":method": "POST", ":scheme": "http", ":path": "/app/%00", ":authority": "h",
        ])
        #expect(client.response(on: stream)[.status] == "400")
        try client.send([1, 2, 3], on: stream, endStream: true)
        #expect(client.response(on: stream).isComplete)
        #expect(client.isConnected && loop.state.bufferedBytes == 0)
    }

    @Test("A body is accepted at the limit, and refused one byte over it", arguments: [100, 101])
    func limitsBody(bytes: Int) throws {
        var limits = Limits()
        limits.maxMessageBytes = 100
        let loop = TestLoop(limits)
        install(loop)
        let client = try TestClient(loop)
        let stream = try client.open(Self.head("POST"))
        try client.send([UInt8](repeating: 65, count: bytes), on: stream)
        let isOver = bytes > 100
        #expect(client.response(on: stream)[.status] == (isOver ? "413" : nil))
        #expect(loop.state.bufferedBytes == (isOver ? 0 : 100))
        try client.send([], on: stream, endStream: true)
        // The answer is longer than the request, and so over the limit of a response.
        #expect(client.response(on: stream)[.status] == (isOver ? "413" : "502"))
        #expect(loop.state.bufferedBytes == 0)
    }

    @Test("The bytes of a request that the client resets are released")
    func releases() throws {
        let loop = TestLoop()
        install(loop)
        let client = try TestClient(loop)
        let stream = try client.open(Self.head("POST"))
        try client.send([1, 2, 3], on: stream)
        #expect(loop.state.bufferedBytes == 3)
        try client.reset(stream)
        #expect(loop.state.bufferedBytes == 0 && client.isConnected)
    }

    @Test("A body over the memory limit of the server is refused with 429")
    func refusesOverload() throws {
        var limits = Limits()
        limits.maxBufferedBytes = 10
        let loop = TestLoop(limits)
        install(loop)
        let client = try TestClient(loop)
        let stream = try client.open(Self.head("POST"))
        try client.send([UInt8](repeating: 0, count: 11), on: stream)
        #expect(client.response(on: stream)[.status] == "429")
        #expect(loop.state.admission.heldBytes == 0)
    }
}
