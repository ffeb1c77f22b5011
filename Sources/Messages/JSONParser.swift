/// Parses JSON as RFC 8259 and protobuf's JSON mapping require: no duplicate keys, no lone
/// surrogates, no invalid UTF-8, and no number beyond a double's range.
struct JSONParser {
    /// Each nested message can take an array and an object.
    static let maximumDepth = 2 * JSONTranscoder.maximumDepth
    /// An object with at most this many members finds its duplicate keys without a set.
    private static let fewMembers = 8

    private enum Step {
        case key(String)
        case index(Int)
    }

    private let input: [UInt8]
    private var position = 0
    /// The members that enclose the position, for errors.
    private var path: [Step] = []

    private init(_ input: [UInt8]) { self.input = input }

    /// Parses a whole document.
    static func parse(_ input: [UInt8]) throws(MessageError) -> JSONValue {
        var parser = JSONParser(input)
        let value = try parser.value()
        parser.skipSpace()
        guard parser.position == input.count else {
            throw parser.error("has text after the end of the document")
        }
        return value
    }

    private mutating func value() throws(MessageError) -> JSONValue {
        skipSpace()
        guard let first = current else { throw error("ends where a value must follow") }
        switch first {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t") where skip(word: "true"): return .bool(true)
        case UInt8(ascii: "f") where skip(word: "false"): return .bool(false)
        case UInt8(ascii: "n") where skip(word: "null"): return .null
        default: throw error("has no valid value here")
        }
    }

    private mutating func object() throws(MessageError) -> JSONValue {
        try enter()
        var members: [(key: String, value: JSONValue)] = []
        var known: Set<ExactText> = []
        skipSpace()
        if skip("}") { return .object(members) }
        while true {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw error("has no key in quotes here") }
            let start = position
            let key = try string()
            guard Self.isNew(key, among: members, &known) else {
                position = start
                throw error("has the duplicate key '\(key.prefix(100))'")
            }
            skipSpace()
            guard skip(":") else { throw error("has no colon after a key") }
            path.append(.key(key))
            members.append((key, try value()))
            path.removeLast()
            skipSpace()
            if skip("}") { return .object(members) }
            guard skip(",") else { throw error("has neither a comma nor '}' after a member") }
        }
    }

    private mutating func array() throws(MessageError) -> JSONValue {
        try enter()
        var elements: [JSONValue] = []
        skipSpace()
        if skip("]") { return .array(elements) }
        while true {
            path.append(.index(elements.count))
            elements.append(try value())
            path.removeLast()
            skipSpace()
            if skip("]") { return .array(elements) }
            guard skip(",") else { throw error("has neither a comma nor ']' after an element") }
        }
    }

    /// Skips the bracket of an object or array.
    private mutating func enter() throws(MessageError) {
        guard path.count < Self.maximumDepth else {
            path = []
            throw error("nests deeper than \(Self.maximumDepth) levels")
        }
        position += 1
    }

    private static func isNew(
        _ key: String, among members: [(key: String, value: JSONValue)],
        _ known: inout Set<ExactText>
    ) -> Bool {
        guard members.count >= fewMembers else {
            return !members.contains { $0.key.hasSameCodePoints(as: key) }
        }
        if known.isEmpty { known = Set(members.map { ExactText($0.key) }) }
        return known.insert(ExactText(key)).inserted
    }

    // MARK: Strings

    private mutating func string() throws(MessageError) -> String {
        position += 1
        let start = position
        while let byte = current, byte >= 0x20, byte != UInt8(ascii: "\\") {
            position += 1
            guard byte == UInt8(ascii: "\"") else { continue }
            return try text(input[start..<position - 1])
        }
        var bytes = Array(input[start..<position])
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return try text(bytes[...])
            case UInt8(ascii: "\\"): try escape(into: &bytes)
            case 0..<0x20: throw error("has a control character in a string; escape it")
            default:
                bytes.append(byte)
                position += 1
            }
        }
        throw error("ends in a string")
    }

    private func text(_ bytes: ArraySlice<UInt8>) throws(MessageError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw error("has invalid UTF-8 in a string")
        }
        return text
    }

    private mutating func escape(into bytes: inout [UInt8]) throws(MessageError) {
        let start = position
        guard position + 1 < input.count else { throw error("ends in a string") }
        let kind = input[position + 1]
        position += 2
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(kind)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0c)
        case UInt8(ascii: "n"): bytes.append(0x0a)
        case UInt8(ascii: "r"): bytes.append(0x0d)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"):
            guard let scalar = escapedScalar() else {
                position = start
                throw error("has an invalid \\u escape or a lone surrogate in a string")
            }
            bytes += Array(String(scalar).utf8)
        default:
            position = start
            throw error("has an invalid escape in a string")
        }
    }

    /// The scalar of one or two `\u` escapes, of which the first `\u` is skipped.
    private mutating func escapedScalar() -> Unicode.Scalar? {
        guard let first = hexadecimal() else { return nil }
        guard (0xd800..<0xdc00).contains(first) else { return Unicode.Scalar(first) }
        guard skip(word: "\\u"), let second = hexadecimal(), (0xdc00..<0xe000).contains(second)
        else {
            return nil
        }
        return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
    }

    private mutating func hexadecimal() -> UInt32? {
        let digits = input[position...].prefix(4)
        guard digits.count == 4 else { return nil }
        var value: UInt32 = 0
        for byte in digits {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                return nil
            }
            value = value << 4 | UInt32(digit)
        }
        position += 4
        return value
    }

    // MARK: Numbers and positions

    private mutating func number() throws(MessageError) -> JSONValue {
        let rest = input[position...]
        let length = JSONNumber.length(of: rest)
        guard length > 0, let value = JSONNumber.value(of: rest.prefix(length)) else {
            throw error("contains an invalid number (perhaps beyond a double's range)")
        }
        position += length
        return value
    }

    private var current: UInt8? { position < input.count ? input[position] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
            position += 1
        }
    }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard let byte = current, UInt32(byte) == character.value else { return false }
        position += 1
        return true
    }

    private mutating func skip(word: String) -> Bool {
        guard input[position...].starts(with: word.utf8) else { return false }
        position += word.utf8.count
        return true
    }

    /// An error at the position, with the path of the member if there is one.
    private func error(_ reason: String) -> MessageError {
        let before = input[..<min(position, input.count)]
        let line = before.count { $0 == 0x0a } + 1
        let lineStart = before.lastIndex(of: 0x0a).map { $0 + 1 } ?? 0
        let place = "(line \(line), column \(before.count - lineStart + 1) of the JSON)"
        let field = path.reduce("") { text, step in
            switch step {
            case .index(let index): "\(text)[\(index)]"
            case .key(let key):
                text.isEmpty ? String(key.prefix(100)) : "\(text).\(key.prefix(100))"
            }
        }
        return field.isEmpty
            ? MessageError("invalid JSON: the document \(reason) \(place)")
            : MessageError(field: field, "\(reason) \(place)")
    }
}
