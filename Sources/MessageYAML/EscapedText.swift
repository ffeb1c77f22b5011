/// Splits text of YAML or JSON in double quotes into characters and escapes.
private struct EscapedText {
    struct Piece {
        let text: Substring.UnicodeScalarView
        /// The character that the piece represents; nil for an escape without a number.
        let value: UInt32?

        var isByteOrderMark: Bool { value == 0xfeff }
    }

    private var rest: Substring.UnicodeScalarView
    private let hasEscapes: Bool

    init(_ text: String, hasEscapes: Bool = true) {
        rest = text[...].unicodeScalars
        self.hasEscapes = hasEscapes
    }

    /// The next character or escape; nil at the end.
    mutating func next() -> Piece? {
        guard let first = rest.first else { return nil }
        guard hasEscapes, first == "\\" else { return take(1, value: first.value) }
        let second = rest.dropFirst().first
        let digits = second == "u" ? 4 : second == "U" ? 8 : 0
        let number = String(String.UnicodeScalarView(rest.dropFirst(2).prefix(digits)))
        guard number.utf8.count == digits, let value = UInt32(number, radix: 16) else {
            // An escaped backslash does not start another escape.
            return take(2, value: nil)
        }
        return take(2 + digits, value: value)
    }

    private mutating func take(_ length: Int, value: UInt32?) -> Piece {
        defer { rest = rest.dropFirst(length) }
        return Piece(text: rest.prefix(length), value: value)
    }
}

/// Keeps U+FEFF at the beginning of strings, where Yams removes it: doubles each mark in the text
/// for Yams, and merges each pair in the result.
enum ByteOrderMarks {
    /// The text with each mark doubled, including marks written as escapes, and without a mark at
    /// the start, which would count as a column of the first line's indentation.
    static func doubled(_ text: String) -> String {
        guard mayHaveMarks(text) else { return text }
        let scalars = text.unicodeScalars
        var pieces = EscapedText(
            scalars.first == "\u{feff}" ? String(scalars.dropFirst()) : text)
        var doubled = String.UnicodeScalarView()
        while let piece = pieces.next() {
            doubled.append(contentsOf: piece.text)
            if piece.isByteOrderMark { doubled.append(contentsOf: piece.text) }
        }
        return String(doubled)
    }

    /// Restores a scalar whose marks were doubled.
    ///
    /// - Parameter hasEscapes: whether the scalar contains escapes: true only in double quotes.
    static func single(_ scalar: String, hasEscapes: Bool) -> String {
        guard mayHaveMarks(scalar) else { return scalar }
        var pieces = EscapedText(scalar, hasEscapes: hasEscapes)
        var single = String.UnicodeScalarView()
        while let piece = pieces.next() {
            // Yams removed one of the two marks at the beginning.
            let isFirst = single.isEmpty && piece.text.count == 1
            single.append(contentsOf: piece.text)
            if piece.isByteOrderMark, !isFirst { _ = pieces.next() }
        }
        return String(single)
    }

    private static func mayHaveMarks(_ text: String) -> Bool {
        // The first byte of a mark or of its escape.
        text.utf8.contains(0xef) || text.utf8.contains(UInt8(ascii: "\\"))
    }
}

/// Converts characters that JSON escapes as surrogate pairs, which YAML does not allow.
enum SurrogateEscapes {
    /// Rewrites valid JSON with YAML's escapes for such characters.
    static func joined(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "\\")) else { return text }
        var pieces = EscapedText(text)
        var joined = String.UnicodeScalarView()
        while let piece = pieces.next() {
            guard let high = piece.value, (0xd800..<0xdc00).contains(high),
                let low = pieces.next()?.value, (0xdc00..<0xe000).contains(low)
            else {
                joined.append(contentsOf: piece.text)
                continue
            }
            let value = 0x1_0000 + (high - 0xd800) << 10 + (low - 0xdc00)
            let digits = String(value, radix: 16)
            joined.append(
                contentsOf: "\\U\(String(repeating: "0", count: 8 - digits.count))\(digits)"
                    .unicodeScalars)
        }
        return String(joined)
    }
}
