internal import GRPCWire
internal import Messages
internal import TestSupport
internal import Testing

@testable internal import Serving

@Suite struct CallObserverTests {
    /// Records what it observes.
    private final class Observer: CallObserver {
        var events: [String] = []

        func received(_ bytes: RawSpan, endStream: Bool) {
            events.append("received \(bytes.byteCount)\(endStream ? ", end" : "")")
        }
        func responded(encoding: String) { events.append("responded \(encoding)") }
        func wrote(_ bytes: RawSpan) { events.append("wrote \(bytes.byteCount)") }
        func ended(_ code: StatusCode, _ message: String, nanoseconds: UInt64, byClient: Bool) {
            events.append("ended \(code) '\(message)' \(nanoseconds) \(byClient)")
        }
    }

    private static let echo = Service("p.S").unary("M") { (request: RawMessage, _) in request }
    private static let failing = Service("p.S").unary("M") { (_: RawMessage, _) -> RawMessage in
        throw RPCError(.aborted, "no")
    }
    private static let waiting = Service("p.S").unary("M") { (_: RawMessage, _) -> RawMessage in
        try await waitForCancellation()
    }

    @Test(
        "An observer sees the request, the response and the end of a call, once each",
        arguments: [
            (
                echo, false,
                [
                    "received 2", "received 4, end", "responded identity", "wrote 6",
                    "ended OK '' 2000000 false",
                ]
            ),
            (
                failing, false,
                ["received 2", "received 4, end", "ended ABORTED 'no' 2000000 false"]
            ),
            (waiting, true, ["received 2", "received 4, end", "ended CANCELLED '' 2000000 true"]),
        ])
    func observes(service: Service, disconnects: Bool, events: [String]) throws {
        let loop = TestLoop()
        let method = try #require(service.methods["M"])
        let source = TestSource()
        let call = loop.begin(
            source, .handler(Handler(method: method, isBlocking: false, maxMessageBytes: 100)))
        let observer = Observer()
        call.start(RequestHead(source.headers), observer: observer)
        loop.embedded.advance(by: .milliseconds(2))
        call.requestArrived([0, 0].span.asBytes, endStream: false)
        call.requestArrived([0, 0, 1, 9].span.asBytes, endStream: true)
        if disconnects { call.streamClosed() }
        #expect(observer.events == events)
        // Nothing follows the end.
        call.finish(RPCError(.unknown, "later"))
        call.streamClosed()
        loop.embedded.run()
        #expect(observer.events == events)
    }
}
