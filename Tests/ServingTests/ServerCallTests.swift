internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import TestSupport
internal import Testing

@testable internal import Serving

@Suite struct ServerCallTests {
    private static func frame(_ payload: [UInt8]) -> [UInt8] {
        (MessagePrefix(isCompressed: false, length: payload.count)?.bytes ?? []) + payload
    }

    private static func handler(_ service: Service) throws -> Answerer {
        let method = try #require(service.methods["M"])
        return .handler(Handler(method: method, isBlocking: false, maxMessageBytes: 100))
    }

    private static let echo = Service("p.S").unary("M") { (request: RawMessage, _) in request }

    private static let collect = Service("p.S").clientStreaming("M") {
        (requests: RequestStream<RawMessage>, _) in
        var all: [UInt8] = []
        for try await request in requests { all += request.bytes }
        return try RawMessage(serializedBytes: all)
    }

    @Test("A refused call ends with its error, and is counted")
    func refuses() throws {
        let loop = TestLoop()
        let source = TestSource()
        let call = loop.begin(source, .none(RPCError(.unavailable, "not here")))
        #expect(loop.state.admission.requestsInFlight == 1)
        let takesBody = call.start(RequestHead(source.headers))
        #expect(!takesBody)
        #expect(source.status?.code == .unavailable && source.status?.message == "not here")
        #expect(loop.state.admission.requestsInFlight == 0)
    }

    @Test("A handler that does not wait answers a call at once", arguments: [1, 3, 100])
    func answersAtOnce(pieceBytes: Int) throws {
        let loop = TestLoop()
        let source = TestSource([":path": "/p.S/M"])
        let call = loop.begin(source, try Self.handler(Self.echo))
        #expect(call is HandlerCall)
        call.start(RequestHead(source.headers))
        let body = Self.frame([1, 2, 3])
        for start in stride(from: 0, to: body.count, by: pieceBytes) {
            let end = min(start + pieceBytes, body.count)
            let piece = Array(body[start..<end])
            call.requestArrived(piece.span.asBytes, endStream: end == body.count)
        }
        #expect(source.status?.code == .ok)
        #expect(source.body == body)
        #expect(loop.state.bufferedBytes == 0)
    }

    @Test(
        "An invalid request ends the call with a status",
        arguments: [
            ([0, 0], StatusCode.internalError), ([2, 0, 0, 0, 0], .internalError),
            (frame([1]) + frame([2]), .internalError), ([], .internalError),
            (frame([UInt8](repeating: 0, count: 101)), .resourceExhausted),
        ])
    func rejects(body: [UInt8], code: StatusCode) throws {
        let loop = TestLoop()
        let source = TestSource()
        let call = loop.begin(source, try Self.handler(Self.echo))
        call.start(RequestHead(source.headers))
        call.requestArrived(body.span.asBytes, endStream: true)
        #expect(source.status?.code == code)
        #expect(source.body.isEmpty)
        #expect(loop.state.bufferedBytes == 0)
    }

    @Test("A call ends at its deadline while its handler waits, by the clock of the loop")
    func endsAtDeadline() throws {
        let loop = TestLoop()
        let source = TestSource()
        let call = loop.begin(source, try Self.handler(Self.collect))
        call.setDeadline(timeout: 1_000_000_000)
        call.start(RequestHead(source.headers))
        loop.embedded.advance(by: .milliseconds(999))
        #expect(source.status == nil)
        #expect(call.timeLeft == 1_000_000)
        loop.embedded.advance(by: .milliseconds(5))
        #expect(source.status?.code == .deadlineExceeded)
        #expect(call.timeLeft == nil)
        loop.embedded.run()
    }

    @Test("A call whose client disconnects ends once, as CANCELLED")
    func cancels() throws {
        let loop = TestLoop()
        let source = TestSource()
        let call = loop.begin(source, try Self.handler(Self.collect))
        call.start(RequestHead(source.headers))
        call.streamClosed()
        #expect(source.status?.code == .cancelled)
        #expect(loop.state.admission.requestsInFlight == 0)
        source.status = nil
        call.finish(RPCError(.unknown, "later"))
        call.streamClosed()
        #expect(source.status == nil)
        loop.embedded.run()
    }

    @Test("A call that ended is reused for the next one of its stream")
    func reuses() throws {
        let loop = TestLoop()
        let source = TestSource()
        let answerer = try Self.handler(Self.echo)
        let call = loop.begin(source, answerer)
        for number in UInt8(0)..<3 {
            source.body = []
            source.status = nil
            let again = Destination(call.target, answerer).begin(
                loop.state, .source(source), at: loop.embedded.now,
                RequestHead(source.headers).trace, reusing: call)
            #expect(again === call)
            again.start(RequestHead(source.headers))
            let body = Self.frame([number])
            again.requestArrived(body.span.asBytes, endStream: true)
            #expect(source.status?.code == .ok && source.body == body)
        }
    }

    @Test("A handler without await runs without a task of its own, another one with a task")
    func selectsForm() throws {
        let caller = Self.task
        let plain = Service("p.S").unary("M") { (_: RawMessage, _) in
            try RawMessage(serializedBytes: [Self.task == caller ? 1 : 0])
        }
        let suspending = Service("p.S").unary("M") { (_: RawMessage, _) in
            await Self.nothing()
            return try RawMessage(serializedBytes: [Self.task == caller ? 1 : 0])
        }
        for (service, expected) in [(plain, UInt8(1)), (suspending, 0)] {
            let loop = TestLoop()
            let source = TestSource()
            let call = loop.begin(source, try Self.handler(service))
            call.start(RequestHead(source.headers))
            let body = Self.frame([])
            call.requestArrived(body.span.asBytes, endStream: true)
            loop.embedded.run()
            #expect(source.status?.code == .ok && source.body == Self.frame([expected]))
        }
    }

    /// Identifies the current task.
    private static var task: Int? { unsafe withUnsafeCurrentTask { unsafe $0?.hashValue } }

    nonisolated(nonsending) private static func nothing() async {}

    @Test("What a handler without await throws is the status", arguments: [true, false])
    func throwsStatus(isStatus: Bool) throws {
        struct Failure: Error {}
        let failing = Service("p.S").unary("M") { (request: RawMessage, _) -> RawMessage in
            if isStatus { throw RPCError(.notFound, "no such price") }
            throw Failure()
        }
        let loop = TestLoop()
        let source = TestSource()
        let call = loop.begin(source, try Self.handler(failing))
        call.start(RequestHead(source.headers))
        let body = Self.frame([])
        call.requestArrived(body.span.asBytes, endStream: true)
        #expect(source.status?.code == (isStatus ? .notFound : .unknown))
    }
}
