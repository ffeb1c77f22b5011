/// Replaces string literals in a header block that are too long for nghttp2's HPACK decoder, which
/// would end the connection.
///
/// It parses only the lengths of the representations (RFC 7541 section 6), and decodes neither
/// Huffman codes nor indexes. A block may arrive in any number of pieces.
///
/// ```
///          .------------- indexed, table size -------------.
///          v                                               |
///   representation --literal, index of a name--> value length --> value --.
///          ^   '-----literal, new name--> name length --> name --^        |
///          '--------------------------------------------------------------'
/// ```
///
/// The replacement of a long literal is `replacementBytes` bytes `x`. Both are larger than the
/// dynamic table, so both empty it (RFC 7541 section 4.4), and later blocks decode as without a
/// replacement.
struct LiteralFilter {
    /// NGHTTP2_HD_MAX_NV of nghttp2's HPACK decoder: a longer name or value is a COMPRESSION_ERROR.
    static let maxLiteralBytes = 65_536
    /// Larger than our SETTINGS_HEADER_TABLE_SIZE, which is HTTP/2's default of 4,096. A literal
    /// over the limit is also larger, even if Huffman coded, because a code has at most 30 bits.
    static let replacementBytes = 8_192
    /// A longer literal cannot arrive, because the limit of CONTINUATION frames is reached first.
    private static let maxLength = 1 << 28

    private enum State: Equatable {
        /// At the first byte of a representation.
        case representation
        /// In an index or table size of several bytes; a value follows those of a literal.
        case integer(isLiteral: Bool)
        /// At the first byte of a literal's length.
        case length(isName: Bool)
        /// In the following bytes of the length; `held` contains the previous ones.
        case longLength(isName: Bool, value: Int, shift: Int)
        case literal(isName: Bool, left: Int)
        /// In a literal that is being replaced.
        case replaced(isName: Bool, left: Int)
    }

    /// The filtered part of the block.
    var output: [UInt8] = []
    /// Whether a literal of this block was replaced.
    private(set) var hasReplaced = false
    private var state = State.representation
    /// The first bytes of a literal's length.
    private var held: [UInt8] = []

    /// Appends the filtered bytes of a piece to `output`.
    ///
    /// - Returns: false when a length is invalid; `output` then ends with the rest of the piece,
    ///   unchanged.
    mutating func filter(_ piece: ArraySlice<UInt8>) -> Bool {
        // The input up to here is in `output`.
        var copied = piece.startIndex
        var position = piece.startIndex
        while position < piece.endIndex {
            let byte = piece[position]
            switch state {
            case .representation:
                state = Self.state(after: byte)
                position += 1
            case .integer(let isLiteral):
                if byte < 0x80 { state = isLiteral ? .length(isName: false) : .representation }
                position += 1
            case .length(let isName) where byte & 0x7f < 0x7f:
                state = Self.literal(isName: isName, Int(byte & 0x7f))
                position += 1
            case .length(let isName):
                output += piece[copied..<position]
                held = [byte]
                position += 1
                copied = position
                state = .longLength(isName: isName, value: 0x7f, shift: 0)
            case .longLength(let isName, let value, let shift):
                held.append(byte)
                position += 1
                copied = position
                guard shift <= 28 else { return giveUp(piece[position...]) }
                let length = value + Int(byte & 0x7f) << shift
                guard length <= Self.maxLength else { return giveUp(piece[position...]) }
                if byte >= 0x80 {
                    state = .longLength(isName: isName, value: length, shift: shift + 7)
                } else {
                    begin(isName: isName, length)
                }
            case .literal(let isName, let left):
                let count = min(left, piece.endIndex - position)
                position += count
                state = Self.literal(isName: isName, left - count)
            case .replaced(let isName, let left):
                let count = min(left, piece.endIndex - position)
                position += count
                copied = position
                state = .replaced(isName: isName, left: left - count)
                guard count == left else { break }
                // A block that ends before its literal remains incomplete.
                output.append(UInt8(ascii: "x"))
                state = Self.literal(isName: isName, 0)
            }
        }
        output += piece[copied...]
        return true
    }

    /// The block is complete, so the held bytes are part of it.
    mutating func finish() {
        output += held
        held = []
        state = .representation
    }

    private mutating func giveUp(_ rest: ArraySlice<UInt8>) -> Bool {
        output += held
        output += rest
        held = []
        return false
    }

    /// A literal's length is complete.
    private mutating func begin(isName: Bool, _ length: Int) {
        if length <= Self.maxLiteralBytes {
            output += held
            state = Self.literal(isName: isName, length)
        } else {
            hasReplaced = true
            // The length 8,192 in a prefix of 7 bits; not Huffman coded.
            output += [0x7f, 0x81, 0x3f]
            output += repeatElement(UInt8(ascii: "x"), count: Self.replacementBytes - 1)
            state = .replaced(isName: isName, left: length)
        }
        held = []
    }

    private static func literal(isName: Bool, _ left: Int) -> State {
        if left > 0 { return .literal(isName: isName, left: left) }
        return isName ? .length(isName: false) : .representation
    }

    private static func state(after byte: UInt8) -> State {
        // RFC 7541 sections 6.1 to 6.3: the pattern consists of the bits that the prefix does not
        // use.
        let (prefix, isLiteral): (UInt8, Bool) =
            switch byte {
            case 0x80...: (0x7f, false)
            case 0x40...: (0x3f, true)
            case 0x20...: (0x1f, false)
            default: (0x0f, true)
            }
        if byte & prefix == prefix { return .integer(isLiteral: isLiteral) }
        guard isLiteral else { return .representation }
        return .length(isName: byte & prefix == 0)
    }
}
