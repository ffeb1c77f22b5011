internal import GRPCWire
internal import TestSupport
internal import Testing
internal import Transport

@Suite(.timeLimit(.minutes(1))) struct MessageReaderTests {
    /// Three messages: empty, small and compressed, and larger than any read.
    private static let messages: [[UInt8]] = [
        [], [UInt8](repeating: 7, count: 1_000), (0..<3_000).map { UInt8(truncatingIfNeeded: $0) },
    ]

    private static func frame(_ payload: [UInt8], isCompressed: Bool = false) -> [UInt8] {
        (MessagePrefix(isCompressed: isCompressed, length: payload.count)?.bytes ?? []) + payload
    }

    private static func gzip(_ bytes: [UInt8]) -> [UInt8] { Gzip.compress(bytes.span.asBytes) }

    private static let body =
        frame(messages[0])
        + frame(gzip(messages[1]), isCompressed: true)
        + frame(messages[2])

    private func read(
        _ pieces: [ArraySlice<UInt8>], limit: Int = 4_096, encoding: MessageEncoding = .gzip,
        maxMessages: Int = .max
    ) throws -> [[UInt8]] {
        var reader = MessageReader(limit: limit)
        reader.reset(limit: limit, encoding: encoding, maxMessages: maxMessages)
        for piece in pieces { try reader.receive(Array(piece)) }
        try reader.checkEnd()
        var found: [[UInt8]] = []
        while let message = reader.take() { found.append(try message.content(limit: limit)) }
        #expect(reader.bufferedBytes == 0)
        return found
    }

    @Test("A body that arrives whole or byte by byte has the same messages")
    func readsPieces() throws {
        let body = Self.body
        #expect(try read([body[...]]) == Self.messages)
        #expect(try read(body.indices.map { body[$0...$0] }) == Self.messages)
    }

    @Test("A body that arrives in random pieces has the same messages", arguments: UInt64(0)..<50)
    func readsRandomPieces(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        var rest = Self.body[...]
        var pieces: [ArraySlice<UInt8>] = []
        while !rest.isEmpty {
            let count = Int.random(in: 1...700, using: &generator)
            pieces.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        #expect(try read(pieces) == Self.messages)
    }

    struct Invalid: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let body: [UInt8]
        let failure: MessageReader.Failure
        let status: StatusCode
        var encoding = MessageEncoding.gzip
        var maxMessages = Int.max
    }

    private static let invalid = [
        Invalid(
            testDescription: "a size over the limit",
            body: frame([UInt8](repeating: 0, count: 101)),
            failure: .framing(.tooLarge(bytes: 101, limit: 100)), status: .resourceExhausted),
        Invalid(
            testDescription: "an invalid flag", body: [2, 0, 0, 0, 0],
            failure: .framing(.badFlag(2)), status: .internalError),
        Invalid(
            testDescription: "an incomplete prefix", body: [0, 0, 0],
            failure: .framing(.truncated(missing: 2)), status: .internalError),
        Invalid(
            testDescription: "an incomplete message", body: [0, 0, 0, 0, 4, 9],
            failure: .framing(.truncated(missing: 3)), status: .internalError),
        Invalid(
            testDescription: "compression without grpc-encoding",
            body: frame(gzip([1]), isCompressed: true),
            failure: .unexpectedCompression, status: .internalError, encoding: .identity),
        Invalid(
            testDescription: "more messages than the method has", body: frame([1]) + frame([2]),
            failure: .tooManyMessages, status: .internalError, maxMessages: 1),
        Invalid(
            testDescription: "compressed bytes that are not gzip",
            body: frame([1, 2, 3], isCompressed: true), failure: .notGzip, status: .internalError),
        Invalid(
            testDescription: "a decompressed size over the limit",
            body: frame(
                gzip([UInt8](repeating: 0, count: 101)), isCompressed: true),
            failure: .decompressedTooLarge(limit: 100), status: .resourceExhausted),
    ]

    @Test("An invalid body fails with the same error in pieces of any size", arguments: invalid)
    func rejects(_ invalid: Invalid) {
        for size in [invalid.body.count, 1] {
            let pieces = stride(from: 0, to: invalid.body.count, by: size).map {
                invalid.body[$0..<min($0 + size, invalid.body.count)]
            }
            #expect(throws: invalid.failure) {
                try read(
                    pieces, limit: 100, encoding: invalid.encoding,
                    maxMessages: invalid.maxMessages)
            }
        }
        let error = RPCError(invalid.failure, limitName: "max-message-bytes")
        #expect(error.code == invalid.status)
        let namesLimit = error.message.hasSuffix(" (max-message-bytes)")
        #expect(namesLimit == (invalid.status == .resourceExhausted))
    }

    @Test("A message and a decompressed message at the limit are accepted")
    func acceptsLimit() throws {
        let message = [UInt8](repeating: 0, count: 100)
        let body =
            Self.frame(message)
            + Self.frame(Self.gzip(message), isCompressed: true)
        #expect(try read([body[...]], limit: 100, maxMessages: 2) == [message, message])
    }

    @Test(
        "One whole message without compression is not queued, any other body is",
        arguments: [
            ([0, 0, 0, 0, 2, 7, 8], 2), ([0, 0, 0, 0, 0], 0), ([0, 0, 0, 0, 3, 7, 8], nil),
            ([1, 0, 0, 0, 2, 7, 8], nil), ([0, 0, 0], nil), ([], nil),
            ([0, 0, 0, 0, 3, 7, 8, 9], nil), ([0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0], nil),
        ] as [([UInt8], Int?)])
    func recognisesOnlyPayload(body: [UInt8], expected: Int?) throws {
        var reader = MessageReader(limit: 2)
        let count = reader.onlyPayload(in: body.span.asBytes)?.byteCount
        #expect(count == expected)
        try reader.receive(Self.frame([1]))
        let whole = Self.frame([1])
        let isNil = reader.onlyPayload(in: whole.span.asBytes) == nil
        #expect(isNil, "an earlier message is queued")
    }

    @Test("The peer gets credit for all bytes, but not while more than the limit is queued")
    func countsCredit() throws {
        var reader = MessageReader(limit: 1_000)
        try reader.receive([0, 0])
        #expect(reader.bufferedBytes == 2)
        #expect(reader.takeCredit(limit: 10) == 2)
        #expect(reader.takeCredit(limit: 10) == 0)
        try reader.receive([0, 0, 10])
        try reader.receive([UInt8](repeating: 1, count: 10))
        #expect(reader.bufferedBytes == 58)
        #expect(reader.takeCredit(limit: 57) == 0)
        #expect(reader.takeCredit(limit: 58) == 13)
        try reader.receive(Self.frame([2]))
        #expect(reader.takeCredit(limit: 58) == 0)
        _ = reader.take()
        #expect(reader.takeCredit(limit: 58) == 6)
    }

    @Test("Empty messages that are not read end the credit, like others of the same memory")
    func boundsEmptyMessages() throws {
        var reader = MessageReader(limit: 1_000)
        let message = Self.frame([])
        var credit = 0
        for _ in 0..<1_000 {
            try reader.receive(message)
            credit += reader.takeCredit(limit: 4_800)
        }
        #expect(credit == 100 * message.count)
        #expect(reader.bufferedBytes == 48_000)
        for _ in 0..<900 { _ = reader.take() }
        #expect(reader.takeCredit(limit: 4_800) == 900 * message.count)
    }

    private func next(_ reader: inout MessageReader) async throws -> [UInt8]? {
        try await withCheckedThrowingContinuation { reader.next($0) }?.content(limit: 100)
    }

    @Test("A reader gets the queued messages, and then nil or the error")
    func ends() async throws {
        var reader = MessageReader(limit: 100)
        try reader.receive((Self.frame([1]) + Self.frame([2])))
        reader.end()
        reader.end(failing: RPCError(.unknown, "later"))
        #expect(try await next(&reader) == [1])
        #expect(try await next(&reader) == [2])
        #expect(try await next(&reader) == nil)

        var failing = MessageReader(limit: 100)
        try failing.receive(Self.frame([1]))
        failing.end(failing: RPCError(.dataLoss, "lost"))
        #expect(try await next(&failing) == [1])
        let error = await #expect(throws: RPCError.self) { try await next(&failing) }
        #expect(error?.code == .dataLoss)
    }

    @Test("A cancellation drops all bytes, and a reset prepares for another call")
    func cancels() async throws {
        var reader = MessageReader(limit: 100)
        try reader.receive((Self.frame([1]) + [0, 0]))
        reader.cancel()
        #expect(reader.bufferedBytes == 0)
        let error = await #expect(throws: RPCError.self) { try await next(&reader) }
        #expect(error?.code == .cancelled)
        reader.reset(limit: 100, encoding: .identity, maxMessages: 1)
        #expect(reader.takeCredit(limit: 100) == 0)
        try reader.receive(Self.frame([3]))
        #expect(try await next(&reader) == [3])
    }

    @Test("A waiting reader is resumed by a message, or by the end")
    func resumesReader() async throws {
        var reader = MessageReader(limit: 100)
        let body = Self.frame([4])
        let message = try await withCheckedThrowingContinuation { continuation in
            reader.next(continuation)
            do { try reader.receive(body) } catch { Issue.record(error) }
        }
        #expect(try message?.content(limit: 1) == [4])
        #expect(reader.bufferedBytes == 0)
        let last = try await withCheckedThrowingContinuation { first in
            reader.next(first)
            reader.end()
        }
        #expect(last == nil)
    }
}

extension MessageReader {
    fileprivate mutating func receive(_ bytes: [UInt8]) throws(Failure) {
        try receive(bytes.span.asBytes)
    }
}
