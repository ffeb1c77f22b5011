/// A JSON document that keeps the order of its keys and the width of its integers.
package enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    /// Parses a document. An error contains the position and the path of the invalid member.
    package init(parsing text: String) throws(MessageError) {
        try self.init(parsing: Array(text.utf8))
    }

    /// Parses a document in UTF-8.
    package init(parsing bytes: [UInt8]) throws(MessageError) {
        self = try JSONParser.parse(bytes)
    }

    /// - Parameter indent: spaces per level; 0 gives one line.
    package func text(indent: Int = 2) -> String {
        String(decoding: utf8(indent: indent), as: UTF8.self)
    }

    /// The text in UTF-8.
    ///
    /// - Parameter indent: spaces per level; 0 gives one line.
    package func utf8(indent: Int = 0) -> [UInt8] {
        var output: [UInt8] = []
        write(to: &output, indent: indent, depth: 0)
        return output
    }

    private func write(to output: inout [UInt8], indent: Int, depth: Int) {
        switch self {
        case .null: output += "null".utf8
        case .bool(let value): output += (value ? "true" : "false").utf8
        case .integer(let value): output += "\(value)".utf8
        case .unsigned(let value): output += "\(value)".utf8
        case .number(let value): output += Self.text(of: value).utf8
        case .string(let value): Self.quote(value, to: &output)
        case .array(let elements):
            Self.list("[", "]", elements, to: &output, indent, depth) { element, output in
                element.write(to: &output, indent: indent, depth: depth + 1)
            }
        case .object(let members):
            Self.list("{", "}", members, to: &output, indent, depth) { member, output in
                Self.quote(member.key, to: &output)
                output += (indent > 0 ? ": " : ":").utf8
                member.value.write(to: &output, indent: indent, depth: depth + 1)
            }
        }
    }

    private static func list<Element>(
        _ open: Unicode.Scalar, _ close: Unicode.Scalar, _ elements: [Element],
        to output: inout [UInt8], _ indent: Int, _ depth: Int,
        _ write: (Element, inout [UInt8]) -> Void
    ) {
        func breakLine(_ depth: Int) {
            guard indent > 0, !elements.isEmpty else { return }
            output.append(UInt8(ascii: "\n"))
            output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent * depth))
        }
        output.append(UInt8(ascii: open))
        for (index, element) in elements.enumerated() {
            if index > 0 { output.append(UInt8(ascii: ",")) }
            breakLine(depth + 1)
            write(element, &output)
        }
        breakLine(depth)
        output.append(UInt8(ascii: close))
    }

    private static func text(of value: Double) -> String {
        if value.isNaN { return "\"NaN\"" }
        if value.isInfinite { return value > 0 ? "\"Infinity\"" : "\"-Infinity\"" }
        if value == 0, value.sign == .minus { return "-0.0" }
        // In this range the conversion is exact.
        if value == value.rounded(), abs(value) < 0x1p53 { return "\(Int64(value))" }
        return "\(value)"
    }

    private static func quote(_ text: String, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): output += "\\\"".utf8
            case UInt8(ascii: "\\"): output += "\\\\".utf8
            case UInt8(ascii: "\n"): output += "\\n".utf8
            case UInt8(ascii: "\r"): output += "\\r".utf8
            case UInt8(ascii: "\t"): output += "\\t".utf8
            case 0..<0x20: output += "\\u\(byte.padded(4, radix: 16))".utf8
            default: output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }
}
