/// Decides which strings can be written to YAML without quotes.
enum PlainScalar {
    /// Words that some version or reader of YAML interprets as null, a boolean, a merge key or a
    /// default.
    private static let words: Set<String> = [
        "", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "none",
        "nil", "<<", "=", "inf", "nan", ".inf", "+.inf", "-.inf", ".nan", "+inf", "-inf",
    ]

    /// The characters of numbers and times in YAML 1.1 and 1.2, in any base.
    private static let numberBytes = Set("0123456789_.:+-abcdefxotzABCDEFXOTZ \t".utf8)

    /// Whether every reader reads the unquoted text as a string. False if in doubt.
    static func isString(_ text: String) -> Bool {
        guard !words.contains(text.lowercased()) else { return false }
        return text.utf8.allSatisfy { (0x20...0x7e).contains($0) } && !mayBeNumber(text)
    }

    /// Numbers and times begin with a digit, a sign or a point, and have at most one point. An IP
    /// address has three points.
    private static func mayBeNumber(_ text: String) -> Bool {
        guard let first = text.utf8.first, "0123456789+-.".utf8.contains(first),
            text.utf8.allSatisfy(numberBytes.contains)
        else { return false }
        return text.utf8.count { $0 == UInt8(ascii: ".") } < 2
    }
}
