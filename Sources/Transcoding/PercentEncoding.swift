internal import GRPCWire

/// Percent-encoding of paths. Source: RFC 3986, section 2.1.
enum PercentEncoding {
    /// Decodes all escapes; nil if one is invalid.
    static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        FormQuery.decode(text, plusIsSpace: false)
    }

    /// Decodes all escapes except that of a slash, whose case is kept; nil if one is invalid.
    static func decodeExceptSlash(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text
        while let escape = rest.firstIndex(of: UInt8(ascii: "%")) {
            bytes += rest[..<escape]
            guard let end = rest.index(escape, offsetBy: 3, limitedBy: rest.endIndex),
                let decoded = decode(rest[escape..<end])
            else { return nil }
            bytes += decoded == [UInt8(ascii: "/")] ? Array(rest[escape..<end]) : decoded
            rest = rest[end...]
        }
        return bytes + rest
    }
}
