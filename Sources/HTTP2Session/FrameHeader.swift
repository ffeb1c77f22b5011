/// The nine bytes in front of a frame's payload (RFC 9113 section 4.1).
struct FrameHeader {
    enum Kind {
        static let data: UInt8 = 0x0
        static let headers: UInt8 = 0x1
        static let priority: UInt8 = 0x2
        static let reset: UInt8 = 0x3
        static let continuation: UInt8 = 0x9
    }

    enum Flag {
        static let endStream: UInt8 = 0x1
        static let endHeaders: UInt8 = 0x4
        static let padded: UInt8 = 0x8
        static let priority: UInt8 = 0x20
    }

    static let byteCount = 9

    /// The first eight bytes.
    private let first: UInt64
    private let last: UInt8

    /// Reads nine bytes, which must exist.
    @inline(__always)
    init(_ bytes: Span<UInt8>, at offset: Int) {
        // Invariant: the span checks its bounds, and all bit patterns are valid.
        first = unsafe UInt64(
            bigEndian: bytes.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
        last = bytes[offset + 8]
    }

    var length: Int { Int(first >> 40) }
    var kind: UInt8 { UInt8(truncatingIfNeeded: first >> 32) }
    var flags: UInt8 { UInt8(truncatingIfNeeded: first >> 24) }
    var endsStream: Bool { flags & Flag.endStream != 0 }

    /// The stream id without the highest bit, which is reserved.
    var stream: Int32 { Int32(truncatingIfNeeded: (first & 0x7f_ffff) << 8 | UInt64(last)) }

    /// Whether the frames of a header block follow it.
    var beginsBlock: Bool { kind == Kind.headers && flags & Flag.endHeaders == 0 }
}
