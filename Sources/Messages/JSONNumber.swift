/// Numbers in JSON's grammar. Source: RFC 8259, section 6.
enum JSONNumber {
    private static let digits = UInt8(ascii: "0")...UInt8(ascii: "9")

    /// The number of bytes of the number at the beginning; 0 if there is none.
    static func length(of text: ArraySlice<UInt8>) -> Int {
        var rest = text
        if rest.first == UInt8(ascii: "-") { rest.removeFirst() }
        if rest.first == UInt8(ascii: "0") {
            rest.removeFirst()
            // 01 is not a number.
            if let next = rest.first, digits.contains(next) { return 0 }
        } else {
            guard skipDigits(&rest) else { return 0 }
        }
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            guard skipDigits(&rest) else { return 0 }
        }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest.removeFirst()
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") {
                rest.removeFirst()
            }
            guard skipDigits(&rest) else { return 0 }
        }
        return rest.startIndex - text.startIndex
    }

    /// The value of a string that is exactly one number; nil for other text.
    static func value(of text: String) -> JSONValue? {
        let bytes = Array(text.utf8)[...]
        guard !bytes.isEmpty, length(of: bytes) == bytes.count else { return nil }
        return value(of: bytes)
    }

    /// The value of a number: exact if it is an integer of 64 bits. Nil beyond a double's range.
    static func value(of number: ArraySlice<UInt8>) -> JSONValue? {
        let text = String(decoding: number, as: UTF8.self)
        if number.allSatisfy({ digits.contains($0) || $0 == UInt8(ascii: "-") }) {
            if let integer = Int64(text) {
                let isNegativeZero = integer == 0 && number.first == UInt8(ascii: "-")
                return isNegativeZero ? .number(-0.0) : .integer(integer)
            }
            if let unsigned = UInt64(text) { return .unsigned(unsigned) }
        }
        guard let value = Double(text), value.isFinite else { return nil }
        return .number(value)
    }

    private static func skipDigits(_ rest: inout ArraySlice<UInt8>) -> Bool {
        let count = rest.prefix { digits.contains($0) }.count
        rest = rest.dropFirst(count)
        return count > 0
    }
}
