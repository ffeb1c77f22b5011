internal import FoundationEssentials

/// A JSON document that keeps the order of its keys and the width of its integers. Parsing sorts
/// the keys.
package enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    /// Parses a document.
    package init(parsing text: String) throws(MessageError) {
        do {
            self = try JSONDecoder().decode(Parsed.self, from: Data(text.utf8)).value
        } catch let error as MessageError {
            throw error
        } catch DecodingError.dataCorrupted(let context) {
            let reason = context.underlyingError.map { "\($0)" } ?? context.debugDescription
            throw MessageError("invalid JSON: \(reason)")
        } catch {
            throw MessageError("invalid JSON: \(error)")
        }
    }

    /// - Parameter indent: spaces per level; 0 gives one line.
    package func text(indent: Int = 2) -> String {
        var output = ""
        write(to: &output, indent: indent, depth: 0)
        return output
    }

    private func write(to output: inout String, indent: Int, depth: Int) {
        switch self {
        case .null: output += "null"
        case .bool(let value): output += value ? "true" : "false"
        case .integer(let value): output += "\(value)"
        case .unsigned(let value): output += "\(value)"
        case .number(let value): output += Self.text(of: value)
        case .string(let value): Self.quote(value, to: &output)
        case .array(let elements):
            Self.list("[", "]", elements, to: &output, indent, depth) { element, output in
                element.write(to: &output, indent: indent, depth: depth + 1)
            }
        case .object(let members):
            Self.list("{", "}", members, to: &output, indent, depth) { member, output in
                Self.quote(member.key, to: &output)
                output += indent > 0 ? ": " : ":"
                member.value.write(to: &output, indent: indent, depth: depth + 1)
            }
        }
    }

    private static func list<Element>(
        _ open: String, _ close: String, _ elements: [Element], to output: inout String,
        _ indent: Int, _ depth: Int, _ write: (Element, inout String) -> Void
    ) {
        output += open
        for (index, element) in elements.enumerated() {
            if index > 0 { output += "," }
            if indent > 0 { output += "\n" + String(repeating: " ", count: indent * (depth + 1)) }
            write(element, &output)
        }
        if indent > 0, !elements.isEmpty {
            output += "\n" + String(repeating: " ", count: indent * depth)
        }
        output += close
    }

    private static func text(of value: Double) -> String {
        if value.isNaN { return "\"NaN\"" }
        if value.isInfinite { return value > 0 ? "\"Infinity\"" : "\"-Infinity\"" }
        if value == 0, value.sign == .minus { return "-0.0" }
        // In this range the conversion is exact.
        if value == value.rounded(), abs(value) < 0x1p53 { return "\(Int64(value))" }
        return "\(value)"
    }

    private static func quote(_ text: String, to output: inout String) {
        output += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            case "\0"..<" ":
                output += "\\u" + scalar.value.padded(4, radix: 16)
            default: output.unicodeScalars.append(scalar)
            }
        }
        output += "\""
    }
}

/// JSON as `JSONDecoder` reads it: the first type that fits.
private struct Parsed: Decodable {
    /// Each nested message can take an array and an object. The decoder's own limit, 512, needs
    /// more than a megabyte of a thread's stack.
    private static let maximumDepth = 2 * JSONTranscoder.maximumDepth

    let value: JSONValue

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { return nil }
    }

    init(from decoder: any Decoder) throws {
        if let object = try? decoder.container(keyedBy: Key.self) {
            try Self.checkDepth(decoder)
            value = .object(
                try object.allKeys.sorted { $0.stringValue < $1.stringValue }.map {
                    (key: $0.stringValue, value: try object.decode(Parsed.self, forKey: $0).value)
                })
            return
        }
        if var array = try? decoder.unkeyedContainer() {
            try Self.checkDepth(decoder)
            var elements: [JSONValue] = []
            while !array.isAtEnd { elements.append(try array.decode(Parsed.self).value) }
            value = .array(elements)
            return
        }
        let single = try decoder.singleValueContainer()
        if single.decodeNil() {
            value = .null
        } else if let bool = try? single.decode(Bool.self) {
            value = .bool(bool)
        } else if let integer = try? single.decode(Int64.self) {
            let number = integer == 0 ? try? single.decode(Double.self) : nil
            value = number?.sign == .minus ? .number(-0.0) : .integer(integer)
        } else if let unsigned = try? single.decode(UInt64.self) {
            value = .unsigned(unsigned)
        } else if let number = try? single.decode(Double.self) {
            value = .number(number)
        } else if let text = try? single.decode(String.self) {
            value = .string(text)
        } else {
            // 1e999, 01 or a lone minus.
            let path = decoder.codingPath.map(\.stringValue).joined(separator: ".")
            throw JSONTranscoder.error(
                path,
                "contains an invalid number (perhaps beyond a double's range) or invalid Unicode")
        }
    }

    private static func checkDepth(_ decoder: any Decoder) throws {
        guard decoder.codingPath.count < maximumDepth else {
            throw MessageError("invalid JSON here: it nests deeper than \(maximumDepth) levels")
        }
    }
}
