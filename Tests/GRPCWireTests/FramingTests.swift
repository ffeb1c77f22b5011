internal import GRPCWire
internal import Testing

@Suite struct FramingTests {
    /// Three messages: empty, small and larger than any read.
    private static let messages: [[UInt8]] = [
        [], Array("hello".utf8), (0..<3_000).map { UInt8(truncatingIfNeeded: $0) },
    ]

    private static var body: [UInt8] {
        messages.flatMap {
            (MessagePrefix(isCompressed: $0.count == 5, length: $0.count)?.bytes ?? []) + $0
        }
    }

    private func deframe(_ pieces: [ArraySlice<UInt8>], limit: Int = 4_096) throws -> [[UInt8]] {
        var deframer = Deframer(limit: limit)
        var found: [[UInt8]] = []
        for piece in pieces {
            let bytes = Array(piece)
            try deframer.receive(bytes.span.asBytes) { isCompressed, payload in
                let message = unsafe payload.withUnsafeBytes { unsafe Array($0) }
                #expect(isCompressed == (message.count == 5))
                found.append(message)
            }
        }
        try deframer.finish()
        #expect(deframer.isIdle)
        return found
    }

    @Test("A body that arrives whole is split into its messages")
    func splitsWholeBody() throws {
        #expect(try deframe([Self.body[...]]) == Self.messages)
    }

    @Test("A body that arrives byte by byte is split into its messages")
    func readsByteByByte() throws {
        let body = Self.body
        #expect(try deframe(body.indices.map { body[$0...$0] }) == Self.messages)
    }

    @Test("A body that arrives in random pieces is split into its messages", arguments: 0..<50)
    func readsRandomSplits(seed: Int) throws {
        let body = Self.body
        var pieces: [ArraySlice<UInt8>] = []
        var position = 0
        var state = UInt64(seed) &* 6_364_136_223_846_793_005 &+ 1
        while position < body.count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let end = min(body.count, position + 1 + Int(state >> 33) % 700)
            pieces.append(body[position..<end])
            position = end
        }
        #expect(try deframe(pieces) == Self.messages)
    }

    @Test("A message at the limit is accepted, one byte more is rejected")
    func holdsLimit() throws {
        let message = [UInt8](repeating: 1, count: 100)
        let body = (MessagePrefix(isCompressed: false, length: 100)?.bytes ?? []) + message
        #expect(try deframe([body[...]], limit: 100) == [message])
        #expect(throws: FramingError.tooLarge(bytes: 100, limit: 99)) {
            try deframe([body[...]], limit: 99)
        }
    }

    @Test("A compressed-flag other than 0 or 1 is rejected")
    func rejectsInvalidFlag() {
        #expect(throws: FramingError.badFlag(2)) { try deframe([[2, 0, 0, 0, 0]]) }
    }

    @Test("The error for a body that ends inside a message contains the number of missing bytes")
    func detectsTruncation() {
        #expect(throws: FramingError.truncated(missing: 2)) { try deframe([[0, 0, 0]]) }
        #expect(throws: FramingError.truncated(missing: 3)) { try deframe([[0, 0, 0, 0, 4, 9]]) }
    }

    @Test("Exactly one plain message is recognised without copying")
    func recognisesOnlyPayload() {
        let one: [UInt8] = [0, 0, 0, 0, 2, 7, 8]
        let payload = MessagePrefix.onlyPayload(in: one.span.asBytes)
        let count = payload?.byteCount
        #expect(count == 2)
        for other in [[0, 0, 0, 0, 3, 7, 8], [1, 0, 0, 0, 2, 7, 8], [0, 0, 0], one + [0]] {
            let none = MessagePrefix.onlyPayload(in: (other as [UInt8]).span.asBytes) == nil
            #expect(none)
        }
    }

    @Test("gzip decompresses to the original bytes", arguments: [0, 1, 100, 100_000])
    func compressesAndDecompresses(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 % 7) }
        let packed = Gzip.compress(bytes.span.asBytes)
        #expect(packed.starts(with: [0x1f, 0x8b]))
        #expect(try Gzip.decompress(packed.span.asBytes, limit: count) == bytes)
    }

    @Test("gzip that decompresses to more than the limit is rejected")
    func rejectsGzipBomb() {
        let packed = Gzip.compress([UInt8](repeating: 0, count: 1_000_000).span.asBytes)
        #expect(packed.count < 2_000)
        #expect(throws: Gzip.Failure.tooLarge(limit: 999_999)) {
            try Gzip.decompress(packed.span.asBytes, limit: 999_999)
        }
    }

    @Test("Invalid gzip is rejected")
    func rejectsForeignBytes() {
        let whole = Gzip.compress(Array("hello".utf8).span.asBytes)
        for bytes in [[], [1, 2, 3], Array(whole.dropLast()), whole + [0]] {
            #expect(throws: Gzip.Failure.notGzip) {
                try Gzip.decompress(bytes.span.asBytes, limit: 100)
            }
        }
    }
}
