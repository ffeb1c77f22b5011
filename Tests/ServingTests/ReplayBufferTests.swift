internal import Messages
internal import Testing

@testable internal import Serving

@Suite struct ReplayBufferTests {
    private func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 1, count: count) }

    @Test("Bytes are kept up to the limit, and all are discarded beyond it")
    func keepsUpToTheLimit() {
        var buffer = ReplayBuffer()
        let (nine, one) = (bytes(9), bytes(1))
        buffer.append(nine.rawSpan, limit: 10)
        buffer.append(one.rawSpan, limit: 10)
        #expect(buffer.isWhole && buffer.bytes.count == 10)
        buffer.append(one.rawSpan, limit: 10)
        #expect(!buffer.isWhole && buffer.bytes.isEmpty)
        buffer.append(one.rawSpan, limit: nil)
        #expect(buffer.bytes.isEmpty)
        buffer.reset()
        #expect(buffer.isWhole)
    }

    @Test("Before the first bytes were forwarded, all bytes are kept")
    func keepsUnforwardedBytes() {
        var buffer = ReplayBuffer()
        let many = bytes(1_000)
        buffer.append(many.rawSpan, limit: nil)
        #expect(buffer.isWhole && buffer.bytes.count == 1_000)
    }
}
