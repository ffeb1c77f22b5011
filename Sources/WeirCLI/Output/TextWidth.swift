/// How many columns of a terminal a text takes.
extension StringProtocol {
    var columns: Int { reduce(0) { $0 + $1.columns } }

    /// The first characters, in at most some columns.
    func prefix(columns limit: Int) -> String {
        var (output, width) = ("", 0)
        for character in self {
            width += character.columns
            guard width <= limit else { break }
            output.append(character)
        }
        return output
    }

    /// The last characters, in at most some columns.
    func suffix(columns limit: Int) -> String {
        String(String(reversed()).prefix(columns: limit).reversed())
    }
}

extension Character {
    /// The scripts whose characters take two columns (East Asian wide characters and pictures).
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115f, 0x2e80...0x303e, 0x3041...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff,
        0xfe30...0xfe6f, 0xff00...0xff60, 0xffe0...0xffe6, 0x1f300...0x1f64f, 0x1f680...0x1f6ff,
        0x1f900...0x1f9ff, 0x20000...0x3fffd,
    ]

    var columns: Int {
        guard !isASCII, let first = unicodeScalars.first else { return 1 }
        return Self.wide.contains { $0.contains(first.value) } ? 2 : 1
    }
}
