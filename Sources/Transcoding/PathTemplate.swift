internal import GRPCWire

/// The template of a URL's path in `google.api.http`, for example
/// `/v1/{name=shelves/*/books/*}:archive`.
///
/// ```
///   Template = "/" [ Segment { "/" Segment } [ ":" Verb ] ]
///   Segment  = "*" | "**" | Literal | "{" FieldPath [ "=" Segment { "/" Segment } ] "}"
/// ```
///
/// `*` is one segment that is not empty, `**` any number of segments; `**` must be last. Source:
/// `google/api/http.proto`, "Path template syntax".
package struct PathTemplate: Hashable, Sendable, CustomStringConvertible {
    package enum Segment: Hashable, Sendable {
        /// The segment without percent-encoding.
        case literal([UInt8])
        /// `*`
        case one
        /// `**`
        case rest
    }

    /// A part of the path that is the value of a field.
    package struct Variable: Hashable, Sendable {
        /// The names from the request message to the field.
        package let field: [String]
        /// The segments of the template.
        package let segments: Range<Int>
        /// Whether the value can have slashes. Then `%2F` in the path is not decoded, so that it
        /// differs from a slash.
        package let isMulti: Bool
    }

    /// Why a text is not a template.
    package struct Invalid: Error, Equatable, Sendable, CustomStringConvertible {
        package let description: String

        init(_ template: String, _ reason: String) {
            description = "invalid path template '\(template.prefix(200))': \(reason)"
        }
    }

    /// The bounds of a template, so that a descriptor cannot make matching expensive.
    package static let maximumSegments = 64
    package static let maximumBytes = 1_024

    package let description: String
    package let segments: [Segment]
    package let variables: [Variable]
    /// The text after the last colon; empty without one.
    package let verb: String

    package init(_ text: String) throws(Invalid) {
        var parser = try TemplateParser(text)
        try parser.parse()
        description = text
        segments = parser.segments
        variables = parser.variables
        verb = parser.verb
    }

    /// The template with `*` and `**` instead of the names of variables: two templates of one shape
    /// match the same paths.
    package var shape: String {
        let parts = segments.map { segment in
            switch segment {
            case .literal(let bytes): String(decoding: bytes, as: UTF8.self)
            case .one: "*"
            case .rest: "**"
            }
        }
        return "/" + parts.joined(separator: "/") + (verb.isEmpty ? "" : ":\(verb)")
    }

    /// The leading literals.
    package var literalPrefix: [[UInt8]] {
        var literals: [[UInt8]] = []
        for case .literal(let bytes) in segments.prefix(while: \.isLiteral) {
            literals.append(bytes)
        }
        return literals
    }
}

extension PathTemplate.Segment {
    var isLiteral: Bool { if case .literal = self { true } else { false } }
}

/// Parses a template.
private struct TemplateParser {
    private let text: String
    private var rest: ArraySlice<UInt8>
    private(set) var segments: [PathTemplate.Segment] = []
    private(set) var variables: [PathTemplate.Variable] = []
    private(set) var verb = ""

    init(_ text: String) throws(PathTemplate.Invalid) {
        self.text = text
        rest = Array(text.utf8)[...]
        guard rest.count <= PathTemplate.maximumBytes else {
            throw invalid("it has more than \(PathTemplate.maximumBytes) bytes")
        }
        guard rest.popFirst() == UInt8(ascii: "/") else { throw invalid("it must begin with '/'") }
    }

    mutating func parse() throws(PathTemplate.Invalid) {
        guard !rest.isEmpty else { return }
        try parseSegments(inVariable: false)
        if skip(":") {
            let bytes = literal()
            guard !bytes.isEmpty, rest.isEmpty else {
                throw invalid("the verb after ':' must be a name at the end of the template")
            }
            verb = String(decoding: try decoded(bytes), as: UTF8.self)
        }
        guard rest.isEmpty else { throw invalid("\(here) is not part of a segment") }
        for index in segments.indices.dropLast() where segments[index] == .rest {
            throw invalid("'**' must be the last segment")
        }
    }

    private mutating func parseSegments(inVariable: Bool) throws(PathTemplate.Invalid) {
        repeat {
            guard segments.count < PathTemplate.maximumSegments else {
                throw invalid("it has more than \(PathTemplate.maximumSegments) segments")
            }
            switch rest.first {
            case UInt8(ascii: "*"):
                rest.removeFirst()
                segments.append(skip("*") ? .rest : .one)
            case UInt8(ascii: "{"):
                guard !inVariable else { throw invalid("a variable contains a variable") }
                rest.removeFirst()
                try parseVariable()
            default:
                let bytes = literal()
                guard !bytes.isEmpty else { throw invalid("\(here) is where a segment must be") }
                segments.append(.literal(try decoded(bytes)))
            }
        } while skip("/")
    }

    private mutating func parseVariable() throws(PathTemplate.Invalid) {
        let start = segments.count
        var names: [String] = []
        repeat {
            let name = rest.prefix(while: Self.isNameByte)
            guard let first = name.first, !first.isDigit else {
                throw invalid("\(here) is where the name of a field must be")
            }
            names.append(String(decoding: name, as: UTF8.self))
            rest = rest.dropFirst(name.count)
        } while skip(".")
        if skip("=") {
            try parseSegments(inVariable: true)
        } else {
            segments.append(.one)
        }
        guard skip("}") else { throw invalid("\(here) is where '}' must end a variable") }
        guard !variables.contains(where: { $0.field == names }) else {
            throw invalid("it has the variable '\(names.joined(separator: "."))' twice")
        }
        let range = start..<segments.count
        variables.append(
            PathTemplate.Variable(
                field: names, segments: range,
                isMulti: range.count > 1 || segments[start] == .rest))
    }

    /// Removes the bytes of a literal.
    private mutating func literal() -> ArraySlice<UInt8> {
        let bytes = rest.prefix(while: Self.isLiteralByte)
        rest = rest.dropFirst(bytes.count)
        return bytes
    }

    private func decoded(_ literal: ArraySlice<UInt8>) throws(PathTemplate.Invalid) -> [UInt8] {
        guard let bytes = PercentEncoding.decode(literal) else {
            throw invalid("a '%' must precede two hexadecimal digits")
        }
        return bytes
    }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    /// The position, for an error.
    private var here: String {
        guard let next = rest.first else { return "the end" }
        let isPrintable = (0x21...0x7e).contains(next)
        let shown = isPrintable ? "'\(Unicode.Scalar(next))'" : "a character"
        return "\(shown) at byte \(rest.startIndex)"
    }

    private func invalid(_ reason: String) -> PathTemplate.Invalid {
        PathTemplate.Invalid(text, reason)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        byte.isDigit || byte == UInt8(ascii: "_")
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    /// The characters of a segment of a path (RFC 3986 section 3.3), without those of the syntax.
    private static func isLiteralByte(_ byte: UInt8) -> Bool {
        isNameByte(byte) || literalMarks.contains(byte)
    }

    private static let literalMarks = Set("-.~!$&'()+,;@%".utf8)
}
