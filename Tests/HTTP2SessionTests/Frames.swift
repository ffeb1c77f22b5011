/// HTTP/2 frames and header blocks as bytes, for tests to encode and decode.
struct Frame: Equatable {
    enum Kind {
        static let data: UInt8 = 0x0
        static let headers: UInt8 = 0x1
        static let priority: UInt8 = 0x2
        static let reset: UInt8 = 0x3
        static let settings: UInt8 = 0x4
        static let ping: UInt8 = 0x6
        static let goAway: UInt8 = 0x7
        static let windowUpdate: UInt8 = 0x8
        static let continuation: UInt8 = 0x9
    }

    enum Flag {
        static let endStream: UInt8 = 0x1
        static let endHeaders: UInt8 = 0x4
        static let padded: UInt8 = 0x8
        static let priority: UInt8 = 0x20
    }

    var kind: UInt8
    var flags: UInt8 = 0
    var stream: UInt32
    var payload: [UInt8] = []

    var bytes: [UInt8] {
        let length = UInt32(payload.count)
        return big(length).dropFirst() + [kind, flags] + big(stream) + payload
    }

    /// Splits bytes into frames; drops an incomplete frame at the end.
    static func all(in bytes: [UInt8]) -> [Frame] {
        var frames: [Frame] = []
        var rest = bytes[...]
        while rest.count >= 9 {
            let head = Array(rest.prefix(9))
            let length = head[..<3].reduce(0) { $0 << 8 | Int($1) }
            guard rest.count >= 9 + length else { break }
            frames.append(
                Frame(
                    kind: head[3], flags: head[4],
                    stream: head[5...].reduce(0) { $0 << 8 | UInt32($1) },
                    payload: Array(rest.dropFirst(9).prefix(length))))
            rest = rest.dropFirst(9 + length)
        }
        return frames
    }

    /// A header block in HEADERS and as many CONTINUATION frames as it needs.
    static func block(
        _ block: [UInt8], on stream: UInt32, flags: UInt8 = 0, pieces: Int = 16_384
    ) -> [Frame] {
        let starts = Array(stride(from: 0, to: max(1, block.count), by: pieces))
        return starts.map { start in
            Frame(
                kind: start == 0 ? Kind.headers : Kind.continuation,
                flags: (start == 0 ? flags : 0) | (start == starts.last ? Flag.endHeaders : 0),
                stream: stream, payload: Array(block[start...].prefix(pieces)))
        }
    }

    /// A server's first frame.
    static let settings = Frame(kind: Kind.settings, stream: 0)
}

func big(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
}

extension [Frame] {
    var bytes: [UInt8] { flatMap(\.bytes) }
}

/// The representations of RFC 7541 section 6, without Huffman codes.
enum HPACK {
    enum Indexing: UInt8, CaseIterable {
        case incremental = 0x40
        case none = 0x00
        case never = 0x10

        var prefixBits: Int { self == .incremental ? 6 : 4 }
    }

    /// `:status: 200` of the static table.
    static let ok: [UInt8] = [0x88]
    /// The newest entry of the dynamic table.
    static let newest: [UInt8] = [0xbe]

    static func integer(_ value: Int, bits: Int, pattern: UInt8 = 0) -> [UInt8] {
        let most = 1 << bits - 1
        guard value >= most else { return [pattern | UInt8(value)] }
        var bytes = [pattern | UInt8(most)]
        var rest = value - most
        while rest >= 128 {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    static func string(_ bytes: [UInt8], huffman: Bool = false) -> [UInt8] {
        integer(bytes.count, bits: 7, pattern: huffman ? 0x80 : 0) + bytes
    }

    static func field(
        _ name: [UInt8], _ value: [UInt8], _ indexing: Indexing = .incremental
    ) -> [UInt8] {
        [indexing.rawValue] + string(name) + string(value)
    }

    static func field(_ name: String, _ value: String, _ indexing: Indexing = .none) -> [UInt8] {
        field(Array(name.utf8), Array(value.utf8), indexing)
    }

    /// A field whose name is that of an entry of the tables.
    static func field(
        index: Int, _ value: [UInt8], _ indexing: Indexing = .incremental, huffman: Bool = false
    ) -> [UInt8] {
        integer(index, bits: indexing.prefixBits, pattern: indexing.rawValue)
            + string(value, huffman: huffman)
    }
}

/// SplitMix64: the same numbers for the same seed.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
