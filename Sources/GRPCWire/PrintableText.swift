extension Unicode.Scalar {
    /// Whether the scalar controls how text is shown: C0, DEL, C1, the line and paragraph
    /// separators, the controls of bidirectional text (Unicode Standard Annex #9) and the byte
    /// order mark.
    package var isControl: Bool {
        switch value {
        case 0...0x1f, 0x7f...0x9f, 0x61c, 0x200e...0x200f, 0x2028...0x202e, 0x2066...0x2069,
            0xfeff:
            true
        default: false
        }
    }
}

extension String {
    private static let ellipsis = Array("…".utf8)

    /// The text for a terminal, a log line or an error, with control characters escaped as in Swift
    /// source (`\n`, `\u{1B}`).
    ///
    /// - Parameter limit: the size limit of the result in UTF-8 bytes. Longer text is cut and ends
    ///   in "…".
    package func printable(limit: Int = .max) -> String {
        if utf8.count <= limit, !unicodeScalars.contains(where: \.isControl) { return self }
        var bytes: [UInt8] = []
        // The bytes to keep if the rest does not fit.
        var kept = 0
        for scalar in unicodeScalars {
            bytes += (scalar.isControl ? scalar.escaped(asASCII: true) : String(scalar)).utf8
            guard bytes.count <= limit else {
                return String(decoding: bytes.prefix(kept) + Self.ellipsis, as: UTF8.self)
            }
            if bytes.count <= limit - Self.ellipsis.count { kept = bytes.count }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// External text for an error: in quotes, printable, at most 100 bytes.
    package var quoted: String { "'\(printable(limit: 100))'" }

    /// A path for an error: in quotes, printable, at most 1,000 bytes.
    package var quotedPath: String { "'\(printable(limit: 1_000))'" }

    /// What is shown in place of a secret.
    /// In a change of a backend it stands for the value that the backend has.
    package static let masked = "<masked>"
}
