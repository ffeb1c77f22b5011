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

    /// Whether text for a terminal or a log has an escape in place of the scalar: it controls how
    /// text is shown, or is invisible, so that it can hide text or make two texts look alike.
    /// Joiners and the first variation selectors are shown, because scripts and emoji need them.
    package var needsEscape: Bool {
        switch value {
        case ..<0x20, 0x7f: true
        case ..<0x7f, 0x200c...0x200d, 0xfe00...0xfe0f: false
        default:
            switch properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: true
            default: properties.isDefaultIgnorableCodePoint
            }
        }
    }

    /// The escape of the scalar in a JSON string (RFC 8259 section 7).
    package var jsonEscape: String {
        UTF16.encode(self)?.map { unit in
            let digits = String(unit, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }.joined() ?? ""
    }
}

extension String {
    private static let ellipsis = Array("…".utf8)

    /// The text for a terminal, a log line or an error, with control characters and invisible ones
    /// escaped as in Swift source (`\n`, `\u{1B}`).
    ///
    /// - Parameter limit: the size limit of the result in UTF-8 bytes. Longer text is cut and ends
    ///   in "…".
    package func printable(limit: Int = .max) -> String {
        if utf8.count <= limit, !unicodeScalars.contains(where: \.needsEscape) { return self }
        var bytes: [UInt8] = []
        // The bytes to keep if the rest does not fit.
        var kept = 0
        for scalar in unicodeScalars {
            bytes += (scalar.needsEscape ? scalar.escaped(asASCII: true) : String(scalar)).utf8
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
