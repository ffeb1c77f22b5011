internal import Testing

@testable internal import HTTP2Session

/// Requests of one client whose headers repeat, change, grow, shrink or fail.
@Suite struct HeaderCacheTests {
    typealias Fields = [(name: String, value: String)]

    static let base: Fields = [
        (":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/a/b"),
        ("x-key", "k"),
    ]
    static let changed: Fields = base.dropLast() + [("x-key", "l")]
    static let changedFirst: Fields = [(":method", "GET")] + base.dropFirst()
    static let longer: Fields = base + [("x-more", "1")]
    static let shorter: Fields = base.dropLast()
    static let spaced: Fields = base.dropLast() + [("x-key", " k ")]
    static let invalid: Fields = changed + [("x key", "v")]
    /// Over the limit of fields.
    static let tooLarge: Fields = base + (0..<128).map { ("x-\($0)", "v") }

    /// The numbers of the blocks that the server accepts.
    static let sequences: [(blocks: [Fields], numbers: [UInt64])] = [
        ([base, base, base], [1, 1, 1]),
        ([base, changed, base], [1, 2, 3]),
        ([base, changedFirst, changedFirst, base], [1, 2, 2, 3]),
        ([base, longer, base, longer, longer], [1, 2, 3, 4, 4]),
        ([base, shorter, shorter, base], [1, 2, 2, 3]),
        ([base, spaced, spaced, base], [1, 2, 2, 3]),
        ([base, invalid, base, base], [1, 2, 2]),
        ([invalid, base, invalid, invalid, longer], [1, 2]),
        ([base, tooLarge, base, tooLarge, longer], [1, 2, 3]),
    ]

    @Test(
        "A block has the fields that were sent, and the number of the last block if it is equal",
        arguments: sequences.indices, [HPACK.Indexing.none, .incremental])
    func reads(index: Int, indexing: HPACK.Indexing) throws {
        for (closes, piece) in [(false, 65_536), (true, 65_536), (true, 1)] {
            var scripted = try Scripted(server: { _ in })
            let (blocks, numbers) = Self.sequences[index]
            var encoder = RepeatingEncoder(indexing)
            var (seen, seenNumbers): ([String], [UInt64]) = ([], [])
            for (position, fields) in blocks.enumerated() {
                let frame = Frame(
                    kind: Frame.Kind.headers, flags: Frame.Flag.endHeaders | Frame.Flag.endStream,
                    stream: UInt32(2 * position + 1), payload: encoder.block(fields))
                try scripted.pair.deliver([frame].bytes, to: scripted.session, piece) { _ in }
                for slot in scripted.session.slots where slot.isOpen && slot.hasHeaders {
                    guard slot.stream.id == Int32(frame.stream) else { continue }
                    seen.append(Self.text(scripted.session.headers(of: slot.stream)))
                    seenNumbers.append(scripted.session.headersNumber(of: slot.stream))
                    if closes { scripted.session.reset(slot.stream, .cancel) }
                }
                try scripted.receive([])
            }
            let sent = blocks.filter { block in
                block.count < 100 && block.allSatisfy { $0.name != "x key" }
            }
            #expect(seen == sent.map(Self.text))
            #expect(seenNumbers == numbers)
        }
    }

    @Test("A closed session accepts commands without effect")
    func closes() throws {
        var scripted = try Scripted(server: { _ in })
        var encoder = RepeatingEncoder(.incremental)
        let frame = Frame(
            kind: Frame.Kind.headers, flags: Frame.Flag.endHeaders, stream: 1,
            payload: encoder.block(Self.base))
        try scripted.receive([frame])
        let session = scripted.session
        let stream = try #require(session.slots.first?.stream)
        session.respond(to: stream, headers: HeaderBlock([":status": "200"]))
        session.write([1, 2, 3].span.bytesForTest, to: stream)
        session.close()
        #expect(session.unsentBytes == 0 && session.openStreams == 0)
        session.write([1].span.bytesForTest, to: stream)
        session.finish(stream)
        session.reset(stream, .cancel)
        session.consume(1, of: stream)
        session.consumeConnection(1)
        session.ping(1)
        session.goAway(.noError, reason: "")
        session.announceShutdown()
        session.terminate(.noError)
        session.forgetHeaders()
        session.close()
        #expect(session.headers(of: stream).count == 0 && session.nextEvent() == nil)
        #expect(!session.isActive && !session.wantsToSend && !session.isSending(stream))
        #expect(session.request(headers: HeaderParts(HeaderBlock())) == nil)
    }

    private static func text(_ block: HeaderBlock) -> String {
        text(block.pairs.map { ($0.name, $0.value) })
    }

    private static func text(_ fields: Fields) -> String {
        fields.map { "\($0)=\($1.trimmingPrefix(" ").split(separator: " ").joined())" }
            .joined(separator: ", ")
    }
}

/// Encodes header blocks as a client that adds fields to the dynamic table once and then refers to
/// them, or as one that always sends literals.
struct RepeatingEncoder {
    private let indexing: HPACK.Indexing
    private var table: [String] = []

    init(_ indexing: HPACK.Indexing) { self.indexing = indexing }

    mutating func block(_ fields: HeaderCacheTests.Fields) -> [UInt8] {
        fields.flatMap { name, value in
            let text = "\(name)=\(value)"
            if let age = table.reversed().firstIndex(of: text).map({ table.endIndex - $0.base }) {
                return HPACK.integer(62 + age, bits: 7, pattern: 0x80)
            }
            // More fields would displace the others.
            guard indexing == .incremental, table.count < 20 else {
                return HPACK.field(name, value, .none)
            }
            table.append(text)
            return HPACK.field(name, value, .incremental)
        }
    }
}

@Suite struct HeaderBlockTests {
    @Test("A copy of a block does not change with it")
    func copies() {
        var block = HeaderBlock(["a": "1", "b": "2"])
        let copy = block
        block.append("c", "3")
        #expect(Self.text(copy) == "a=1 b=2" && Self.text(block) == "a=1 b=2 c=3")
        var shortened = block
        shortened.removeAll(after: 1)
        #expect(Self.text(shortened) == "a=1" && Self.text(block) == "a=1 b=2 c=3")
        var cleared = block
        cleared.removeAll()
        #expect(cleared.count == 0 && block.count == 3)
        let own = block
        block.append(own)
        #expect(Self.text(block) == "a=1 b=2 c=3 a=1 b=2 c=3")
    }

    @Test("The first fields of a block are appended", arguments: 0...3)
    func appendsFirst(count: Int) {
        let source = HeaderBlock(["a": "1", "b": "", "c": "3"])
        let texts = ["a=1", "b=", "c=3"].prefix(count)
        for start in [[:], ["x": "y"]] as [KeyValuePairs<String, String>] {
            var block = HeaderBlock(start)
            block.append(source, first: count)
            #expect(
                Self.text(block) == (start.map { "\($0)=\($1)" } + texts).joined(separator: " "))
        }
    }

    private static func text(_ block: HeaderBlock) -> String {
        block.pairs.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
    }
}
