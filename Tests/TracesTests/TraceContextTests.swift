internal import GRPCWire
internal import Testing

@testable internal import Traces

@Suite struct TraceContextTests {
    static let trace = "0af7651916cd43dd8448eb211c80319c"
    static let span = "b7ad6b7169203331"
    static let valid = "00-\(trace)-\(span)-01"

    static func parse(_ text: String) -> TraceContext? {
        TraceContext(parent: Array(text.utf8).span)
    }

    @Test("A valid traceparent is read and written")
    func reads() throws {
        let context = try #require(Self.parse(Self.valid))
        #expect(context.traceID.hex == Self.trace)
        #expect(context.spanID.hex == Self.span)
        #expect(context.isSampled)
        #expect(String(decoding: context.parent, as: UTF8.self) == Self.valid)
        #expect(context.traceID.bytes.count == 16 && context.traceID.bytes[0] == 0x0a)
        #expect(context.spanID.bytes == [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31])
    }

    @Test(
        "Texts at the boundaries of traceparent",
        arguments: [
            // Flags that version 00 does not define are ignored.
            ("00-\(trace)-\(span)-00", "00"), ("00-\(trace)-\(span)-02", "02"),
            ("00-\(trace)-\(span)-ff", "03"), ("00-\(trace)-\(span)-09", "01"),
            // A version of the future may have more fields.
            ("01-\(trace)-\(span)-01", "01"), ("fe-\(trace)-\(span)-01-more", "01"),
            ("01-\(trace)-\(span)-01-", "01"), ("cc-\(trace)-\(span)-00-x-y", "00"),
            ("01-\(trace)-\(span)-01x", nil), ("01-\(trace)-\(span)-011", nil),
            ("ff-\(trace)-\(span)-01", nil), ("ff-\(trace)-\(span)-01-more", nil),
            // Version 00 has exactly 55 bytes.
            ("00-\(trace)-\(span)-01-", nil), ("00-\(trace)-\(span)-01-00", nil),
            ("00-\(trace)-\(span)-0", nil), ("00-\(trace)-\(span)-", nil),
            ("00-\(trace)-\(span)", nil), ("", nil), ("-", nil), ("00", nil), ("00-\(trace)", nil),
            // Ids of zeros, and those next to them.
            ("00-00000000000000000000000000000000-\(span)-01", nil),
            ("00-00000000000000000000000000000001-\(span)-01", "01"),
            ("00-10000000000000000000000000000000-\(span)-01", "01"),
            ("00-\(trace)-0000000000000000-01", nil),
            ("00-\(trace)-0000000000000001-01", "01"),
            ("00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-01", "01"),
            // Only lower-case digits are allowed.
            ("00-\(trace.uppercased())-\(span)-01", nil),
            ("00-\(trace)-\(span.uppercased())-01", nil),
            ("0A-\(trace)-\(span)-01", nil), ("00-\(trace)-\(span)-0A", nil),
            ("0g-\(trace)-\(span)-01", nil), ("00-\(trace)-\(span)-0g", nil),
            ("00-\(trace.dropLast())g-\(span)-01", nil),
            ("00-\(trace)-\(span.dropLast())/-01", nil),
            ("00-\(trace.dropLast()):-\(span)-01", nil),
            ("00-\(trace.dropLast())`-\(span)-01", nil),
            // Other separators, blanks and bytes.
            ("00_\(trace)-\(span)-01", nil), ("00-\(trace)_\(span)-01", nil),
            ("00-\(trace)-\(span)_01", nil), (" 00-\(trace)-\(span)-01", nil),
            ("00-\(trace)-\(span)-01 ", nil), ("00-\(trace)-\(span)-01\n", nil),
            ("00-\(trace)-\(span)-\u{e9}", nil), ("00-\(trace)-\(span)-0\0", nil),
            ("00-\(trace)\(span)--01", nil),
            ("00-\(trace)-\(span)-01,00-\(trace)-\(span)-01", nil),
            (String(repeating: "0", count: 55), nil), (String(repeating: "-", count: 55), nil),
            ("01-\(trace)-\(span)-01-" + String(repeating: "x", count: 8_000), "01"),
        ] as [(String, String?)])
    func boundaries(_ text: String, flags: String?) {
        let context = Self.parse(text)
        #expect((context != nil) == (flags != nil))
        if let context, let flags {
            #expect(String(decoding: context.parent, as: UTF8.self).hasSuffix("-\(flags)"))
            let again = TraceContext(parent: context.parent.span)
            #expect(again == context)
        }
        // The quick answer may say yes for an invalid text, but never no for a sampled one.
        if context?.isSampled == true {
            let quick = TraceContext.mayBeSampled(Array(text.utf8).span)
            #expect(quick)
        }
    }

    @Test("A context is read from and written to grpc-trace-bin")
    func binary() throws {
        let context = try #require(Self.parse(Self.valid))
        let bytes = context.binary
        #expect(bytes.count == 29 && TraceContext(binary: bytes) == context)
        let text = "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMxAgE"
        #expect(Base64.encode(bytes) == text)
        for length in 0...64 where length != 29 {
            let other = Array((bytes + [UInt8](repeating: 0, count: 64)).prefix(length))
            #expect(TraceContext(binary: other) == nil)
        }
        for (index, value) in [(0, 1), (1, 1), (18, 0), (18, 2), (27, 1), (27, 3), (0, 255)] {
            var changed = bytes
            changed[index] = UInt8(value)
            #expect(TraceContext(binary: changed) == nil, "byte \(index)")
        }
        for range in [2..<18, 19..<27] {
            var zero = bytes
            for index in range { zero[index] = 0 }
            #expect(TraceContext(binary: zero) == nil)
            zero[range.lowerBound] = 1
            #expect(TraceContext(binary: zero) != nil)
        }
        for flags in [UInt8(0), 1, 2, 254, 255] {
            var changed = bytes
            changed[28] = flags
            #expect(TraceContext(binary: changed)?.isSampled == (flags & 1 == 1))
        }
    }

    @Test("Random ids are not zero")
    func random() {
        struct Zeros: RandomNumberGenerator {
            mutating func next() -> UInt64 { 0 }
        }
        var zeros = Zeros()
        #expect(TraceID(using: &zeros).low == 1)
        #expect(SpanID(using: &zeros).value == 1)
        #expect(TraceID(high: 0, low: 0) == nil && SpanID(0) == nil)
    }

    @Test("Several tracestate headers are one list; one that is too long or invalid is not kept")
    func states() {
        func joined(_ values: String...) -> String {
            TraceState.joined(values.map { Array($0.utf8) })
        }
        #expect(joined() == "" && joined("") == "")
        #expect(joined("a=1", "", "b=2,c=3") == "a=1,b=2,c=3")
        let longest = String(repeating: "a", count: TraceState.maxBytes)
        #expect(
            joined(longest) == longest && joined(longest, "b") == "" && joined(longest + "a") == "")
        #expect(joined("a=\u{1}") == "" && joined("a=\u{7f}") == "" && joined("a=\u{e9}") == "")
    }
}
