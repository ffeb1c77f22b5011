internal import GRPCWire
internal import Testing

@Suite struct FrameScannerTests {
    private static func frame(_ flag: UInt8, _ count: Int) -> [UInt8] {
        [flag, 0, 0, UInt8(count >> 8), UInt8(count & 255)] + [UInt8](repeating: 7, count: count)
    }

    /// The result of a body in pieces of one size: whether a message is compressed, or the error.
    private static func scan(_ body: [UInt8], pieces size: Int) -> Result<Bool, FramingError> {
        Result { () throws(FramingError) in
            var scanner = FrameScanner()
            var start = 0
            while start < body.count {
                let piece = Array(body[start..<min(body.count, start + size)])
                try scanner.scan(piece.span.asBytes)
                start += size
            }
            try scanner.finish()
            return scanner.hasCompressed
        }
    }

    @Test(
        "A body is checked in the same way in pieces of any size",
        arguments: [
            ([], .success(false)), (frame(0, 0), .success(false)), (frame(1, 3), .success(true)),
            (frame(0, 300) + frame(0, 0) + frame(1, 1), .success(true)),
            (frame(0, 3) + frame(0, 256), .success(false)),
            (frame(2, 3), .failure(.badFlag(2))), (frame(0x80, 0), .failure(.badFlag(0x80))),
            (frame(0, 1) + [0], .failure(.truncated(missing: 4))),
            (Array(frame(0, 9).dropLast(2)), .failure(.truncated(missing: 2))),
        ] as [([UInt8], Result<Bool, FramingError>)])
    func scans(body: [UInt8], expected: Result<Bool, FramingError>) {
        for size in 1...max(1, body.count + 1) {
            #expect(Self.scan(body, pieces: size) == expected, "pieces of \(size)")
        }
    }

    @Test("A compressed message is reported")
    func reportsCompression() throws {
        var scanner = FrameScanner()
        try scanner.scan(Self.frame(0, 1).span.asBytes)
        #expect(!scanner.hasCompressed)
        try scanner.scan(Self.frame(1, 1).span.asBytes)
        #expect(scanner.hasCompressed)
    }
}
