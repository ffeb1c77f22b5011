internal import Testing

@testable internal import HTTP2Session

/// How a test splits its input.
enum Split: Sendable, CaseIterable {
    case whole, bytes, random

    func pieces(of input: [UInt8]) -> [[UInt8]] {
        var random = SeededRandom(state: UInt64(input.count))
        var pieces: [[UInt8]] = []
        var start = 0
        while start < input.count {
            let size =
                switch self {
                case .whole: input.count
                case .bytes: 1
                case .random: Int.random(in: 1...20_000, using: &random)
                }
            pieces.append(Array(input[start...].prefix(size)))
            start += size
        }
        return pieces
    }
}

@Suite struct FrameGuardTests {
    typealias Kind = Frame.Kind
    typealias Flag = Frame.Flag

    /// The bytes that a guard passed, and its final state.
    private struct Result: Equatable {
        var bytes: [UInt8] = []
        /// Bytes that were passed from the input without a copy.
        var untouched = 0
        var hasReplaced = false
        var error: HTTP2ErrorCode?

        /// The header block of a stream, without its frames.
        func block(of stream: UInt32) -> [UInt8] {
            Frame.all(in: bytes).filter { $0.stream == stream }.flatMap(\.payload)
        }
    }

    private func run(
        _ input: [UInt8], _ split: Split = .whole, _ role: HTTP2Session.Role = .client
    ) -> Result {
        var frameGuard = FrameGuard(role: role)
        var result = Result()
        for piece in split.pieces(of: input) {
            var position = 0
            loop: while position < piece.count {
                switch frameGuard.next(piece.span, from: &position) {
                case .pass(let range):
                    result.bytes += piece[range]
                    result.untouched += range.count
                case .passOutput: result.bytes += frameGuard.output
                case .needsMore: break loop
                }
                result.hasReplaced = result.hasReplaced || frameGuard.hasReplaced
            }
        }
        result.error = frameGuard.connectionError
        return result
    }

    /// A part of a header block, and the expected output.
    struct Part: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        let filtered: [UInt8]

        init(_ name: String, _ bytes: [UInt8], becomes filtered: [UInt8]? = nil) {
            testDescription = name
            self.bytes = bytes
            self.filtered = filtered ?? bytes
        }
    }

    static let short = Array("x-name".utf8)
    static let longest = [UInt8](repeating: 97, count: 65_536)
    static let tooLong = [UInt8](repeating: 97, count: 65_537)
    static let replacement = [UInt8](repeating: 120, count: 8_192)

    static let parts: [Part] =
        [
            Part("no field", []),
            Part("indexed fields", [0x82, 0xbf, 0xff, 0x80, 0x01]),
            Part("table sizes", [0x20, 0x3f, 0xe1, 0x1f]),
            Part("an empty name and value", HPACK.field([], [])),
            Part(
                "lengths of 126, 127 and 128",
                [126, 127, 128].flatMap { length in
                    HPACK.field(short, [UInt8](repeating: 97, count: length))
                }),
            Part(
                "a length with needless zeros",
                [0x40, 0x01, 0x61, 0x7f, 0x80, 0x80, 0x80, 0x00]
                    + [UInt8](repeating: 97, count: 127)),
            Part("an indexed name of several bytes", HPACK.field(index: 200, [97], .never)),
            Part("the longest literal", HPACK.field(short, longest)),
            Part("the longest name", HPACK.field(longest, [97])),
            Part(
                "a long value after an indexed name", HPACK.field(index: 58, tooLong),
                becomes: HPACK.field(index: 58, replacement)),
            Part(
                "a long value, Huffman coded", HPACK.field(index: 58, tooLong, huffman: true),
                becomes: HPACK.field(index: 58, replacement)),
            Part(
                "a value of 200 kB",
                HPACK.field(short, [UInt8](repeating: 97, count: 200_000)),
                becomes: HPACK.field(short, replacement)),
        ]
        + HPACK.Indexing.allCases.flatMap { indexing in
            [
                Part(
                    "a long value, \(indexing)", HPACK.field(short, tooLong, indexing),
                    becomes: HPACK.field(short, replacement, indexing)),
                Part(
                    "a long name, \(indexing)", HPACK.field(tooLong, short, indexing),
                    becomes: HPACK.field(replacement, short, indexing)),
                Part(
                    "a long name and value, \(indexing)", HPACK.field(tooLong, tooLong, indexing),
                    becomes: HPACK.field(replacement, replacement, indexing)),
            ]
        }

    @Test("Literals over 65,536 bytes are replaced, all else is kept", arguments: parts)
    func replacesLongLiterals(part: Part) {
        let block = HPACK.ok + part.bytes + HPACK.field("x-last", "1")
        let filtered = HPACK.ok + part.filtered + HPACK.field("x-last", "1")
        for pieces in [16_384, 5_000, 77] {
            let frames =
                [Frame(kind: Kind.data, stream: 3, payload: [1, 2, 3])]
                + Frame.block(block, on: 1, pieces: pieces)
                + [Frame(kind: Kind.ping, stream: 0, payload: [1, 2, 3, 4, 5, 6, 7, 8])]
            for split in Split.allCases where split != .bytes || pieces == 5_000 {
                let result = run(frames.bytes, split)
                #expect(result.block(of: 1) == filtered, "\(pieces) \(split)")
                #expect(result.hasReplaced == (part.bytes != part.filtered))
                let passed = Frame.all(in: result.bytes)
                #expect(passed.count == frames.count)
                #expect(passed.allSatisfy { $0.payload.count <= 16_384 })
                #expect(passed.map { [$0.kind, $0.flags] } == frames.map { [$0.kind, $0.flags] })
                #expect(passed.first == frames.first && passed.last == frames.last)
            }
        }
    }

    @Test(
        "All other frames pass from the input without a copy",
        arguments: [HTTP2Session.Role.client, .server])
    func passesOtherFrames(role: HTTP2Session.Role) {
        let frames =
            [
                Frame.settings, Frame(kind: Kind.data, stream: 1, payload: Self.longest),
                Frame(kind: 0xbe, flags: 0xff, stream: 9, payload: [1]),
                Frame(kind: Kind.continuation, stream: 1, payload: [1]),
            ] + Frame.block(HPACK.ok, on: 1)
        let preface = role == .server ? Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) : []
        let input = preface + frames.bytes
        let whole = run(input, .whole, role)
        #expect(whole.bytes == input && whole.untouched == input.count)
        for split in Split.allCases {
            #expect(run(input, split, role).bytes == input)
        }
    }

    @Test(
        "The padding of HEADERS is removed, its priority is kept",
        arguments: [0, Flag.padded, Flag.priority, Flag.padded | Flag.priority])
    func readsPaddingAndPriority(flags: UInt8) {
        let priority: [UInt8] = flags & Flag.priority != 0 ? [0, 0, 0, 0, 15] : []
        let field = HPACK.field(Self.short, Self.tooLong)
        var frames = Frame.block(field, on: 1, flags: flags, pieces: 10_000)
        frames[0].payload = priority + frames[0].payload
        if flags & Flag.padded != 0 {
            frames[0].payload = [3] + frames[0].payload + [0, 0, 0]
        }
        for split in Split.allCases {
            let result = run(frames.bytes, split)
            let first = Frame.all(in: result.bytes).first
            #expect(first?.flags == flags & Flag.priority)
            #expect(first.map { Array($0.payload.prefix(priority.count)) } == priority)
            let block = result.block(of: 1).dropFirst(priority.count)
            #expect(Array(block) == HPACK.field(Self.short, Self.replacement))
        }
    }

    @Test("A block that ends within a replaced literal remains incomplete")
    func keepsTruncation() {
        let frames = Frame.block(
            Array(HPACK.field(Self.short, Self.tooLong).dropLast()), on: 1)
        let block = run(frames.bytes).block(of: 1)
        #expect(block == Array(HPACK.field(Self.short, Self.replacement).dropLast()))
    }

    @Test("A block that ends within a length remains incomplete", arguments: 1...3)
    func keepsTruncatedLengths(count: Int) {
        let block = [0x40, 0x01, 0x61] + HPACK.integer(100_000, bits: 7).prefix(count)
        #expect(run(Frame.block(block, on: 1, pieces: 2).bytes).block(of: 1) == block)
    }

    /// Frames that nghttp2 answers with GOAWAY.
    static let violations: [[Frame]] = [
        // Another stream, another type, and none (RFC 9113 section 6.10).
        [
            Frame(kind: Kind.headers, stream: 1, payload: [0x88]),
            Frame(kind: Kind.continuation, flags: Flag.endHeaders, stream: 3, payload: [0x88]),
        ],
        [
            Frame(kind: Kind.headers, stream: 1, payload: [0x88]),
            Frame(kind: Kind.data, stream: 1, payload: [1, 2, 3]),
        ],
        // Padding and priority that do not fit (section 6.2).
        [Frame(kind: Kind.headers, flags: Flag.padded, stream: 1)],
        [Frame(kind: Kind.headers, flags: Flag.padded, stream: 1, payload: [2, 0x88])],
        [Frame(kind: Kind.headers, flags: Flag.priority, stream: 1, payload: [1, 2, 3, 4])],
        [
            Frame(
                kind: Kind.headers, flags: Flag.padded | Flag.priority, stream: 1,
                payload: [1, 1, 2, 3, 4, 5])
        ],
        // A frame over the largest size (section 4.2).
        [Frame(kind: Kind.headers, stream: 1, payload: tooLong)],
        // A length that does not end, and one of 4 GiB (RFC 7541 section 5.1).
        [
            Frame(
                kind: Kind.headers, stream: 1,
                payload: [0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])
        ],
        [
            Frame(
                kind: Kind.headers, stream: 1, payload: [0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f])
        ],
    ]

    @Test(
        "Frames that violate the protocol pass unchanged, and so do all later bytes",
        arguments: violations)
    func passesViolations(frames: [Frame]) {
        let rest = Frame.block(HPACK.field(Self.short, Self.tooLong), on: 5)
        let input = (frames + rest).bytes
        for split in Split.allCases { #expect(run(input, split).bytes == input) }
    }

    @Test("A CONTINUATION frame over the largest size is an error", arguments: [16_384, 16_385])
    func limitsContinuations(size: Int) {
        let frames = [
            Frame(kind: Kind.headers, stream: 1, payload: [0x88]),
            Frame(
                kind: Kind.continuation, flags: Flag.endHeaders, stream: 1,
                payload: [UInt8](repeating: 0x88, count: size)),
        ]
        for split in Split.allCases {
            #expect(run(frames.bytes, split).error == (size > 16_384 ? .frameSizeError : nil))
        }
    }

    @Test("A header block is being received from its first frame's head to its last byte")
    func followsHeaders() {
        for pieces in [16_384, 10] {
            let frames = Frame.block(HPACK.field("x-name", "some value"), on: 1, pieces: pieces)
            let input = Frame.settings.bytes + frames.bytes + Frame.settings.bytes
            var frameGuard = FrameGuard(role: .client)
            let states = input.map { byte in
                var position = 0
                while position < 1 {
                    if case .needsMore = frameGuard.next([byte].span, from: &position) { break }
                }
                return frameGuard.isReceivingHeaders
            }
            let expected = (0..<input.count).map {
                (9 + 8..<9 + frames.bytes.count - 1).contains($0)
            }
            #expect(states == expected)
        }
    }
}
