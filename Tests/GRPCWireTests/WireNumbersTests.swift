internal import Testing

@testable internal import GRPCWire

/// Numbers in headers and frames at the bounds of their types.
@Suite struct WireNumbersTests {
    private static let texts: [String] = [
        "", "-1", "0", "1", "00000000", "99999999", "999999999", "2147483647", "2147483648",
        "4294967296", "9007199254740993", "9223372036854775807", "-9223372036854775808",
        "18446744073709551615", "99999999999999999999", "NaN", "Inf", "-Inf", "1e300", "1e-300",
        "+1", "0x1", " 1", "1 ", "1\0", "1\n", "١", String(repeating: "9", count: 65_536),
    ]

    @Test("Any text parses to a grpc-timeout from 0 to the largest number, or is invalid")
    func handlesTimeouts() {
        for text in Self.texts {
            for unit in ["", "n", "u", "m", "S", "M", "H", "x"] {
                guard let nanoseconds = parsed(text + unit, { Timeout.parse($0) }) else {
                    continue
                }
                #expect(nanoseconds >= 0)
                let written = Timeout.format(nanoseconds: nanoseconds)
                // Eight digits may round the timeout up, but never down.
                let again = parsed(written) { Timeout.parse($0) }
                #expect(again.map { $0 >= nanoseconds } == true, "\(text)\(unit) \(written)")
            }
        }
    }

    @Test(
        "Any number of nanoseconds formats to a timeout that parses",
        arguments: [
            .min, .min + 1, -1, 0, 1, 99_999_999, 100_000_000, 1 << 31, 1 << 53, .max - 1, .max,
        ] as [Int64])
    func writesTimeouts(nanoseconds: Int64) {
        let again = parsed(Timeout.format(nanoseconds: nanoseconds)) { Timeout.parse($0) }
        #expect(again.map { $0 >= max(1, nanoseconds) } == true)
    }

    @Test("Any status code has a name and counts as one of gRPC's")
    func handlesStatusCodes() {
        for number in [.min, .min + 1, -1, 0, 16, 17, 599, 1 << 31, 1 << 32, .max] as [Int] {
            let code = StatusCode(rawValue: number)
            #expect((0...16).contains(code.counted.rawValue))
            #expect(code.description == code.counted.description || number < 0 || number > 16)
            #expect(!RPCError(code, "").description.isEmpty)
            #expect((0...16).contains(StatusCode(httpStatus: number).rawValue))
        }
        for code in [0, 1, 0xd, 0xe, .max] as [UInt32] {
            #expect((0...16).contains(StatusCode(http2Error: code).rawValue))
        }
    }

    @Test("A prefix has a length of 32 bits, or is nil")
    func handlesLengths() {
        for length in [.min, -1, 0, 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 53, .max] as [Int] {
            let prefix = MessagePrefix(isCompressed: length == 1, length: length)
            #expect((prefix != nil) == (0..<1 << 32).contains(length))
            guard let prefix else { continue }
            #expect(prefix.length == length)
            var deframer = Deframer(limit: .max)
            #expect(throws: Never.self) {
                try deframer.receive(prefix.bytes.span.asBytes) { _, payload in
                    #expect(length == 0 && payload.byteCount == 0)
                }
            }
            if length > 0 {
                #expect(throws: FramingError.truncated(missing: length)) { try deframer.finish() }
            }
        }
    }

    @Test("A message over any limit is rejected with both numbers")
    func enforcesLimits() {
        for limit in [0, 1, 4 << 20, (1 << 32) - 1] {
            let length = limit + 1
            guard let prefix = MessagePrefix(isCompressed: false, length: length) else { continue }
            var deframer = Deframer(limit: limit)
            #expect(throws: FramingError.tooLarge(bytes: length, limit: limit)) {
                try deframer.receive(prefix.bytes.span.asBytes) { _, _ in }
            }
        }
    }

    /// 100,000 bytes of which half can be compressed.
    private static let large = (0..<100_000).map { index in
        index % 2 == 0 ? UInt8(truncatingIfNeeded: index &* index >> 3) : 0
    }

    @Test(
        "gzip in pieces of any size returns the same as in one piece",
        arguments: [1, 2, 1_000, 99_999, 100_000, 1 << 30])
    func packsInPieces(pieceBytes: Int) throws {
        for bytes in [[], [7], Self.large] as [[UInt8]] {
            let packed = Gzip.compress(bytes.span.asBytes, pieceBytes: pieceBytes)
            let whole = try Gzip.decompress(packed.span.asBytes, limit: 100_000)
            #expect(whole == bytes)
            let pieces = try Gzip.decompress(
                packed.span.asBytes, limit: 100_000, pieceBytes: pieceBytes)
            #expect(pieces == bytes)
            for wrong in [Array(packed.dropLast()), packed + [0], Array(packed.dropFirst())] {
                #expect(throws: Gzip.Failure.notGzip) {
                    try Gzip.decompress(
                        wrong.span.asBytes, limit: 200_000, pieceBytes: pieceBytes)
                }
            }
        }
        let packed = Gzip.compress(Self.large.span.asBytes)
        for limit in [0, 1, 99_999] {
            #expect(throws: Gzip.Failure.tooLarge(limit: limit)) {
                try Gzip.decompress(packed.span.asBytes, limit: limit, pieceBytes: pieceBytes)
            }
        }
    }
}
