internal import GRPCWire
internal import HTTP2Session
internal import Testing

@testable internal import Serving

@Suite struct BodyCollectorTests {
    private func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 7, count: count) }

    @Test("A body is collected up to its limit, and counts as buffered until it is taken")
    func collects() {
        let loop = TestLoop()
        var body = BodyCollector(loop.state, limit: 10)
        let first = body.append(bytes(4).span.asBytes)
        let second = body.append(bytes(6).span.asBytes)
        #expect(first == nil && second == nil)
        #expect(loop.state.bufferedBytes == 10)
        guard case .tooLarge = body.append(bytes(1).span.asBytes) else {
            Issue.record("the body is over its limit")
            return
        }
        #expect(body.take() == bytes(10))
        #expect(loop.state.bufferedBytes == 0)
        #expect(body.bytes.isEmpty)
    }

    @Test("A body over the memory of the loop is refused, and its bytes are given back")
    func refuses() {
        var limits = Limits()
        limits.maxBufferedBytes = 100
        let loop = TestLoop(limits)
        var body = BodyCollector(loop.state, limit: 1_000)
        guard case .overload(let error) = body.append(bytes(101).span.asBytes) else {
            Issue.record("the loop has no memory for the body")
            return
        }
        #expect(error.code == .resourceExhausted)
        body.drop()
        #expect(loop.state.bufferedBytes == 0)
    }
}
