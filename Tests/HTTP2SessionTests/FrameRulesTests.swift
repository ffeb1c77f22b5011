internal import Testing

@testable internal import HTTP2Session

@Suite("Errors of a peer that nghttp2 does not report")
struct FrameRulesTests {
    private static func frame(
        _ kind: UInt8, _ stream: UInt32, ends: Bool = false, length: Int
    ) -> Frame {
        Frame(
            kind: kind, flags: ends ? Frame.Flag.endStream : 0, stream: stream,
            payload: [UInt8](repeating: 0, count: length))
    }

    private static func data(_ stream: UInt32, ends: Bool = false, length: Int = 5) -> Frame {
        frame(Frame.Kind.data, stream, ends: ends, length: length)
    }

    private static func headers(_ stream: UInt32, ends: Bool = false) -> Frame {
        Frame(
            kind: Frame.Kind.headers,
            flags: Frame.Flag.endHeaders | (ends ? Frame.Flag.endStream : 0), stream: stream,
            payload: [UInt8](repeating: 0, count: 20))
    }

    private static func priority(_ stream: UInt32) -> Frame {
        frame(Frame.Kind.priority, stream, length: 5)
    }

    private static func reset(_ stream: UInt32) -> Frame {
        frame(Frame.Kind.reset, stream, length: 4)
    }

    struct Example: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let frames: [Frame]
        var role = HTTP2Session.Role.server
        var lateData: [Int32] = []
        /// The frame that ends the connection is the last one.
        var error: HTTP2ErrorCode?
    }

    private static let newest = UInt32(StreamHistory.capacity)

    static let examples = [
        Example(
            testDescription: "requests with and without bodies and trailers",
            frames: [
                headers(1), data(1), data(1, ends: true), headers(3, ends: true), headers(5),
                data(5), headers(5, ends: true), headers(9), headers(11), data(9), reset(9),
            ]),
        Example(
            testDescription: "DATA after END_STREAM",
            frames: [headers(1), data(1, ends: true), headers(3), data(1), data(3), data(1)],
            lateData: [1, 1]),
        Example(
            testDescription: "DATA after END_STREAM in trailers",
            frames: [headers(1), headers(1, ends: true), data(1, length: 0)], lateData: [1]),
        Example(
            testDescription: "DATA after RST_STREAM",
            frames: [headers(1), reset(1), headers(3), data(3), data(1, ends: true)],
            lateData: [1]),
        Example(
            testDescription: "the reserved bit is not part of a stream id",
            frames: [headers(1), reset(0x8000_0001), data(0x8000_0001)], lateData: [1]),
        Example(
            testDescription: "HEADERS after END_STREAM",
            frames: [headers(1, ends: true), headers(3), headers(1)], error: .streamClosed),
        Example(
            testDescription: "HEADERS after RST_STREAM",
            frames: [headers(1), reset(1), headers(1, ends: true)], error: .streamClosed),
        Example(
            testDescription: "HEADERS on a skipped stream id",
            frames: [headers(5), headers(3)], error: .protocolError),
        Example(
            testDescription: "HEADERS on an even stream are left to nghttp2",
            frames: [headers(5), headers(2), headers(0)]),
        Example(
            testDescription: "PRIORITY on streams in any state",
            frames: [
                priority(1), headers(1), priority(1), data(1, ends: true), priority(1), priority(9),
                headers(3),
            ]),
        Example(
            testDescription: "PRIORITY on stream 0", frames: [headers(1), priority(0)],
            error: .protocolError),
        Example(
            testDescription: "the newest streams are tracked, the oldest are not",
            frames: [headers(1, ends: true)]
                + (2...newest).map { headers(2 * $0 - 1) }
                + [data(1), headers(2 * newest + 1), data(1), headers(1)],
            lateData: [1]),
        Example(
            testDescription: "a gap of more streams than are tracked",
            frames: [
                headers(1, ends: true), headers(0x7fff_ffff), data(1), headers(1),
                headers(0x7fff_fffd),
            ],
            error: .protocolError),
        Example(
            testDescription: "a server's responses in any order",
            frames: [
                headers(5), data(5), headers(1, ends: true), headers(3), headers(5, ends: true),
                data(3, ends: true),
            ],
            role: .client),
        Example(
            testDescription: "a server's DATA after END_STREAM",
            frames: [headers(3, ends: true), headers(1), data(1), headers(1, ends: true), data(3)],
            role: .client, lateData: [3]),
        Example(
            testDescription: "a server's HEADERS after END_STREAM are left to nghttp2",
            frames: [headers(3, ends: true), headers(3), headers(1)], role: .client),
    ]

    @Test("are found in bytes that arrive in any pieces", arguments: examples)
    func findsErrors(_ example: Example) {
        let preface = example.role == .server ? Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) : []
        let bytes = preface + example.frames.bytes
        let fatal = example.error == nil ? 0 : Array(example.frames.suffix(1)).bytes.count
        for size in [bytes.count, 1, 2, 7, 9, 10, 31] {
            var frameGuard = FrameGuard(role: example.role)
            var passed: [UInt8] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                let piece = Array(bytes[start..<min(bytes.count, start + size)])
                var position = 0
                loop: while position < piece.count {
                    switch frameGuard.next(piece.span, from: &position) {
                    case .pass(let range): passed += piece[range]
                    case .passOutput: passed += frameGuard.output
                    case .needsMore: break loop
                    }
                }
            }
            #expect(frameGuard.rules.lateData == example.lateData, "pieces of \(size)")
            #expect(frameGuard.connectionError == example.error, "pieces of \(size)")
            #expect(passed == Array(bytes.dropLast(fatal)))
        }
    }
}
