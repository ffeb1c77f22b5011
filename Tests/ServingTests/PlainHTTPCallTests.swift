internal import GRPCWire
internal import Messages
internal import Observability
internal import Synchronization
internal import TestSupport
internal import Testing
internal import Transport

@testable internal import Serving

/// Plain HTTP requests as calls of a backend, on a loop whose clock the test controls.
@Suite struct PlainHTTPCallTests {
    /// The replies to one request.
    private final class Replies {
        var all: [HTTPReply] = []
    }

    private static func request(
        _ method: String = "POST", _ target: String = "/app/x?q=1",
        _ fields: [HTTPFields.Field] = [], body: String = "hi"
    ) throws -> HTTPRequest {
        let head = try HTTPRequestHead(
            method, target: target, [("host", "h:1")] + fields, .http1(minor: 1))
        return HTTPRequest(head, body: Array(body.utf8), peer: Peer())
    }

    /// An endpoint for `/app/` whose backend answers with the bytes of a function.
    private func install(
        _ loop: borrowing TestLoop,
        _ answer: @escaping @Sendable (Weir_V1_CallRequest) throws -> [UInt8]
    ) {
        let service = Service("weir.v1.Serve").unary("Call") { (request: Weir_V1_CallRequest, _) in
            RawMessage(try answer(request))
        }
        loop.install(routes: ["/app/", "/a.S/"], HandlerBackend("b", services: [service]))
    }

    private func reply(_ loop: borrowing TestLoop, to request: HTTPRequest) throws -> HTTPReply {
        let replies = Replies()
        let call = PlainHTTPCall.begin(request, on: loop.router, at: loop.embedded.now) {
            replies.all.append($0)
        }
        #expect(call == nil, "the call has ended")
        #expect(replies.all.count == 1)
        #expect(loop.state.bufferedBytes == 0 && loop.state.admission.requestsInFlight == 0)
        return try #require(replies.all.first)
    }

    private func text(_ reply: HTTPReply) -> String { String(decoding: reply.body, as: UTF8.self) }

    private func field(_ reply: HTTPReply, _ name: String) -> String? {
        reply.headers.first { $0.name == name }?.value
    }

    @Test("The backend receives the request as a message, and its message becomes the response")
    func converts() throws {
        let received = Mutex<Weir_V1_CallRequest?>(nil)
        let loop = TestLoop()
        install(loop) { request in
            received.withLock { $0 = request }
            return try Weir_V1_CallResponse(
                payload: [1, 2], contentType: "a/b", httpStatus: 201,
                headers: [.init(name: "X-A", value: "c")]
            ).serializedBytes()
        }
        let reply = try reply(
            loop,
            to: Self.request(
                "PUT", "/app/x?q=1",
                [("content-type", "d/e"), ("x-f", "g"), ("connection", "x-h"), ("x-h", "i")]))
        #expect(reply.status == 201 && reply.body == [1, 2])
        #expect(field(reply, "content-type") == "a/b" && field(reply, "x-a") == "c")
        #expect(field(reply, "x-serve-backend") == "b")
        let message = try #require(received.withLock { $0 })
        #expect(message.httpMethod == "PUT" && message.path == "/app/x" && message.query == "q=1")
        #expect(message.payload == Array("hi".utf8) && message.contentType == "d/e")
        let names = message.headers.map(\.name)
        #expect(names.contains("x-f") && !names.contains("x-h") && !names.contains("connection"))
    }

    struct Answer: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let status: Int
        let message: String
        let answer: @Sendable () throws -> [UInt8]
    }

    private static let answers = [
        Answer(testDescription: "an error", status: 404, message: "\"message\":\"no such thing\"") {
            throw RPCError(.notFound, "no such thing")
        },
        Answer(testDescription: "another error", status: 500, message: "the handler failed") {
            throw CancellationMark()
        },
        Answer(testDescription: "invalid bytes", status: 502, message: "weir.v1.CallResponse") {
            [0xff]
        },
        Answer(testDescription: "an invalid status", status: 502, message: "http_status 99") {
            try Weir_V1_CallResponse(httpStatus: 99).serializedBytes()
        },
        Answer(
            testDescription: "a body over the limit", status: 502, message: "max-message-bytes"
        ) {
            try Weir_V1_CallResponse(payload: [UInt8](repeating: 0, count: 1_001)).serializedBytes()
        },
        Answer(testDescription: "a response over all limits", status: 502, message: "body is over")
        { [UInt8](repeating: 0, count: 200_000) },
        Answer(testDescription: "a body at the limit", status: 200, message: "") {
            try Weir_V1_CallResponse(payload: [UInt8](repeating: 0, count: 1_000)).serializedBytes()
        },
    ]

    private struct CancellationMark: Error {}

    @Test("An error and an invalid message of the backend become a refusal", arguments: answers)
    func refuses(_ answer: Answer) throws {
        var limits = Limits()
        limits.maxMessageBytes = 1_000
        let loop = TestLoop(limits)
        install(loop) { _ in try answer.answer() }
        let reply = try reply(loop, to: Self.request())
        #expect(reply.status == answer.status)
        if !answer.message.isEmpty { #expect(text(reply).contains(answer.message)) }
        #expect(field(reply, "x-serve-backend") == "b", "the backend has answered")
        #expect((field(reply, "grpc-status") == nil) == (answer.status == 200))
    }

    @Test(
        "A request without a matching endpoint is refused with the reason",
        arguments: [
            ("/other", 404, "no endpoint matches the path '/other'"),
            ("/weir.v1.Serve/Call", 404, "no endpoint 'missing'"),
        ])
    func findsNoEndpoint(target: String, status: Int, message: String) throws {
        let loop = TestLoop()
        install(loop) { _ in [] }
        let reply = try reply(
            loop, to: Self.request("GET", target, [("x-serve-endpoint", "missing")]))
        #expect(reply.status == status && text(reply).contains(message))
        #expect(loop.router.unrouted == 1)
    }

    @Test("A request names its endpoint at the path of weir.v1.Serve")
    func findsNamedEndpoint() throws {
        let loop = TestLoop()
        install(loop) { _ in try Weir_V1_CallResponse(payload: [7]).serializedBytes() }
        let named = try Self.request(
            "POST", "/weir.v1.Serve/Call", [("x-serve-endpoint", "/a.S/")])
        let reply = try reply(loop, to: named)
        #expect(reply.status == 200 && reply.body == [7])
    }

    @Test("A server at its limit of requests refuses the request with 429")
    func refusesOverload() throws {
        var limits = Limits()
        limits.maxRequestsInFlightPerLoop = 0
        let loop = TestLoop(limits)
        install(loop) { _ in [] }
        #expect(try reply(loop, to: Self.request()).status == 429)
        #expect(loop.state.admission.refused == [.requests: 1])
    }

    @Test("A request whose client disconnects gets no reply and ends its call")
    func cancels() throws {
        let loop = TestLoop()
        let service = Service("weir.v1.Serve").unary("Call") { (_: RawMessage, _) -> RawMessage in
            try await waitForCancellation()
        }
        loop.install(routes: ["/app/"], HandlerBackend("b", services: [service]))
        let replies = Replies()
        let call = PlainHTTPCall.begin(
            try Self.request(), on: loop.router, at: loop.embedded.now
        ) { replies.all.append($0) }
        #expect(loop.state.admission.requestsInFlight == 1)
        try #require(call).cancel()
        loop.embedded.run()
        #expect(replies.all.isEmpty)
        #expect(loop.state.admission.requestsInFlight == 0 && loop.state.bufferedBytes == 0)
    }
}
