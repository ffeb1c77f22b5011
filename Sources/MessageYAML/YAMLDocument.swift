package import Messages
internal import Yams

/// A YAML or JSON document with the fields of a `.proto` message, and the line of each field.
package struct YAMLDocument {
    private let name: String
    /// The values and the lines of the fields. Nil for JSON that is not valid YAML.
    private let root: Node?
    /// The values if the document is JSON.
    private let json: JSONValue?
    /// The limit of values after aliases are resolved.
    private let maximumValues: Int
    /// The fields that the document may give another name, by that name.
    private let fields: [String: String]

    /// - Parameters:
    ///   - name: the document's name in errors.
    ///   - fields: the fields that the document may give another name, by that name.
    /// - Throws: the position and the reason if the document is not valid YAML.
    package init(
        _ text: String, name: String, fields: [String: String] = [:]
    ) throws(MessageError) {
        self.name = name
        self.fields = fields
        maximumValues = min(
            Self.maximumValues, Self.minimumBudget + Self.valuesPerByte * text.utf8.count)
        var problem: MessageError?
        do throws(MessageError) {
            json = try Self.json(text)
        } catch {
            json = nil
            problem = error
        }
        guard json != nil || Self.anchors(in: text) <= Self.maximumAnchors else {
            throw MessageError("\(name) has more than \(Self.maximumAnchors) anchors (&name)")
        }
        do {
            let text = json == nil ? text : SurrogateEscapes.joined(text)
            root = try Yams.compose(yaml: ByteOrderMarks.doubled(text))
        } catch {
            guard json != nil else {
                let isYAML = [".yaml", ".yml"].contains { name.lowercased().hasSuffix($0) }
                if let problem, !isYAML {
                    throw MessageError("\(name): \(problem)")
                }
                throw MessageError("\(name):\(Self.reason(of: error))")
            }
            root = nil
        }
        guard root != nil || json != nil else { throw MessageError("\(name) is empty") }
    }

    /// Parses a JSON object or array; nil if the text starts with something else.
    ///
    /// Most JSON is YAML. JSON with control characters or keys of over 1,024 characters is not.
    private static func json(_ text: String) throws(MessageError) -> JSONValue? {
        let text =
            text.unicodeScalars.first == "\u{feff}"
            ? text.unicodeScalars.dropFirst() : text.unicodeScalars[...]
        let first = text.first { !" \t\r\n".unicodeScalars.contains($0) }
        guard first == "{" || first == "[" else { return nil }
        return try JSONValue(parsing: String(text))
    }

    /// The position and the reason of an error. Omits the text of the line, which Yams includes,
    /// because it may contain a secret.
    private static func reason(of error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "\(mark.line):\(mark.column): invalid YAML: \(inWords(problem))"
        case .reader(let problem, let offset, _, let text):
            "\(text.prefix(offset ?? 0).count(where: \.isNewline) + 1): invalid YAML: \(problem)"
        case .duplicatedKeysInMapping(let keys, let context):
            "\(context.mark.line): duplicate key '\(keys.first?.prefix(100) ?? "")'"
        default: " invalid YAML"
        }
    }

    /// libyaml names a function of its own in the error of a document that nests too deep.
    private static func inWords(_ problem: String) -> String {
        problem.contains("nesting level") ? JSONValue.tooDeep : problem
    }

    /// More values than any configuration has. Nested aliases can produce this many from a few
    /// lines, whereas each byte of a real configuration produces few.
    private static let maximumValues = 1_000_000
    /// The limit of values for the shortest document.
    private static let minimumBudget = 10_000
    private static let valuesPerByte = 10

    /// libyaml reads 1,000 levels, and each anchor whose value contains an alias can add as many.
    /// Releasing about 45,000 levels overflows the stack of the main thread.
    private static let maximumAnchors = 30

    /// The number of anchors in a text, including text that only looks like an anchor.
    private static func anchors(in text: String) -> Int {
        var count = 0
        // An ampersand inside a word, as in `a=1&b=2`, does not start an anchor.
        var (beginsToken, beginsAnchor) = (true, false)
        for byte in text.utf8 {
            if beginsAnchor, byte > 0x20, byte != UInt8(ascii: "&") { count += 1 }
            beginsAnchor = beginsToken && byte == UInt8(ascii: "&")
            beginsToken = byte <= 0x20 || ",:[{".utf8.contains(byte)
        }
        return count
    }

    /// Converts the document to a message.
    ///
    /// - Parameter rewrite: converts short forms of values to those of the message.
    /// - Throws: the invalid field, its line and the reason.
    package func message<Message: ProtobufMessage>(
        as type: Message.Type = Message.self,
        _ rewrite: (JSONValue) throws(MessageError) -> JSONValue = { $0 }
    ) throws(MessageError) -> Message {
        let value = try value
        do throws(MessageError) {
            let transcoder = JSONTranscoder(
                schema: try Self.schema(of: type), keepsNames: true, rejectsTwoSpellings: true)
            let bytes = try transcoder.bytes(
                from: try rewrite(value), message: type.messageName ?? "")
            return try Message(serializedBytes: bytes)
        } catch {
            throw MessageError(located(error.field ?? "", error.reason))
        }
    }

    private var value: JSONValue {
        get throws(MessageError) {
            if let json { return json }
            guard let root else { return .null }
            do throws(YAMLProblem) {
                return try JSONValue(document: root, maximumValues: maximumValues)
            } catch {
                let line = (error.line ?? root.mark?.line).map { ":\($0)" } ?? ""
                throw MessageError("\(name)\(line): \(error.reason)")
            }
        }
    }

    private static func schema<Message: ProtobufMessage>(
        of type: Message.Type
    ) throws(MessageError) -> Schema {
        var schema = Schema()
        try schema.add(type._file)
        return schema
    }

    /// Adds the document's name and the line of a field to an error.
    ///
    /// - Parameter path: `backends[0].upstream.addresses`
    package func located(_ path: String, _ reason: String) -> String {
        let line = line(of: path).map { ":\($0)" } ?? ""
        return "\(name)\(line): \(path.isEmpty ? "" : "\(path): ")\(reason)"
    }

    /// The position of a field or, if it is missing, of the object around it.
    private func line(of path: String) -> Int? {
        guard var node = root else { return nil }
        var line = node.mark?.line
        for step in path.split(whereSeparator: { ".[]\"".contains($0) }) {
            switch node {
            case .mapping(let mapping):
                let wanted = Self.plain(step)
                let pair = mapping.first { pair in
                    let key = pair.key.string ?? ""
                    return [key, fields[key] ?? key].contains { Self.plain($0) == wanted }
                }
                guard let pair else { return line }
                line = pair.key.mark?.line ?? line
                node = pair.value
            case .sequence(let sequence):
                guard let index = Int(step), sequence.indices.contains(index) else { return line }
                node = sequence[index]
                line = node.mark?.line ?? line
            case .scalar, .alias: return line
            }
        }
        return line
    }

    /// Maps `max_requests`, `max-requests` and `maxRequests` to the same name.
    private static func plain(_ name: some StringProtocol) -> String {
        String(name.filter { $0 != "_" && $0 != "-" }).lowercased()
    }

    /// Formats a message as YAML.
    package static func text<Message: ProtobufMessage>(
        of message: Message
    ) throws(MessageError) -> String {
        let transcoder = JSONTranscoder(schema: try schema(of: Message.self), keepsNames: true)
        let json = try transcoder.json(
            from: try message.serializedBytes(), message: Message.messageName ?? "")
        do {
            return try Yams.serialize(node: Node(json), width: 100)
        } catch {
            throw MessageError("cannot be written as YAML: \(error)")
        }
    }
}

/// Why YAML has no JSON form.
private struct YAMLProblem: Error {
    let reason: String
    /// Nil for the whole document.
    let line: Int?

    init(_ reason: String, at mark: Mark? = nil) {
        self.reason = reason
        line = mark?.line
    }
}

/// The number of values that the document may still produce.
private struct Budget {
    let limit: Int
    private var used = 0

    init(limit: Int) { self.limit = limit }

    mutating func takeOne() throws(YAMLProblem) {
        used += 1
        guard used <= limit else {
            throw YAMLProblem("more than \(limit) values after aliases are resolved")
        }
    }
}

extension JSONValue {
    /// Each nested message can take an array and an object.
    private static let maximumDepth = 200
    fileprivate static let tooDeep = "it nests deeper than \(maximumDepth) levels"

    /// Converts YAML to JSON. A scalar that does not look like a number or a boolean is a string.
    fileprivate init(document root: Node, maximumValues: Int) throws(YAMLProblem) {
        var budget = Budget(limit: maximumValues)
        try self.init(root, &budget, depth: 0)
    }

    private init(_ node: Node, _ budget: inout Budget, depth: Int) throws(YAMLProblem) {
        guard depth <= Self.maximumDepth else {
            throw YAMLProblem(Self.tooDeep, at: node.mark)
        }
        try budget.takeOne()
        switch node {
        case .mapping(let mapping):
            self = .object(try Self.members(of: mapping, &budget, depth: depth))
        case .sequence(let sequence):
            var elements: [JSONValue] = []
            for element in sequence {
                elements.append(try JSONValue(element, &budget, depth: depth + 1))
            }
            self = .array(elements)
        case .scalar(let scalar):
            self = scalar.special ?? .string(scalar.text)
        case .alias(let alias):
            throw YAMLProblem("aliases are not supported", at: alias.mark)
        }
    }
}

extension JSONValue {
    private typealias Members = [(key: String, value: JSONValue)]

    /// The members of a mapping, with those of its merge keys (`<<`) that it does not have itself.
    /// Of several merged mappings, the first one that has a key counts.
    private static func members(
        of mapping: Node.Mapping, _ budget: inout Budget, depth: Int
    ) throws(YAMLProblem) -> Members {
        var members: Members = []
        var merged: Members = []
        for (key, value) in mapping {
            guard let scalar = key.scalar else {
                throw YAMLProblem("a key must be a string", at: key.mark)
            }
            let converted = try JSONValue(value, &budget, depth: depth + 1)
            guard scalar.isMergeKey else {
                members.append((scalar.text, converted))
                continue
            }
            switch converted {
            case .object(let other): merged += other
            case .array(let others):
                for other in others {
                    guard case .object(let other) = other else { throw invalidMerge(key) }
                    merged += other
                }
            default: throw invalidMerge(key)
            }
        }
        var known = Set(members.map(\.key))
        for member in merged where known.insert(member.key).inserted { members.append(member) }
        return members
    }

    private static func invalidMerge(_ key: Node) -> YAMLProblem {
        YAMLProblem("invalid merge key '<<': use a mapping, or a list of mappings", at: key.mark)
    }
}

extension Node {
    fileprivate init(_ json: JSONValue) {
        switch json {
        case .object(let members):
            self = Node(members.map { (Node.text($0.key), Node($0.value)) })
        case .array(let elements): self = Node(elements.map { Node($0) })
        case .string(let text): self = .text(text)
        case .number(let value) where value.isNaN: self = Node(".nan")
        case .number(let value) where value.isInfinite: self = Node(value > 0 ? ".inf" : "-.inf")
        case .null, .bool, .integer, .unsigned, .number: self = Node(json.text(indent: 0))
        }
    }

    /// Writes a string so that every YAML reader reads the same string: with quotes if it looks
    /// like another type, and with escapes if it contains more than printable ASCII. (In other
    /// kinds of scalars, readers replace Unicode line breaks.)
    private static func text(_ text: String) -> Node {
        let plain = Scalar(text)
        guard PlainScalar.isString(text), plain.special == nil else {
            return Node(text, .implicit, .doubleQuoted)
        }
        return .scalar(plain)
    }
}

extension Node.Scalar {
    /// The string value of the scalar.
    fileprivate var text: String {
        ByteOrderMarks.single(string, hasEscapes: style != .doubleQuoted)
    }

    /// Whether the scalar, as a key, adds the members of another mapping (yaml.org/type/merge).
    fileprivate var isMergeKey: Bool {
        string == "<<" && (style == .plain || style == .any)
    }

    /// The value of a scalar that is null, a boolean or a number; nil for a string. Quoted scalars
    /// are strings.
    fileprivate var special: JSONValue? {
        guard style == .plain || style == .any else { return nil }
        if ["", "~", "null", "Null", "NULL"].contains(string) { return .null }
        if let flag = Bool.construct(from: self) { return .bool(flag) }
        return number
    }

    /// Parses a YAML number. Excludes the base-60 numbers of YAML 1.1, such as 1:30, because Yams
    /// traps when one of them overflows.
    private var number: JSONValue? {
        guard !string.contains(":") else { return nil }
        if let number = Int64.construct(from: self) { return .integer(number) }
        if let number = UInt64.construct(from: self) { return .unsigned(number) }
        // YAML 1.1, which Python uses, reads and writes 1e3 as an unquoted string. Number fields
        // accept such strings.
        guard let number = Double.construct(from: self), !hasShortExponent else { return nil }
        // YAML writes .inf and .nan; inf and nan are strings, and so is 1e999.
        return number.isFinite || string.contains(".") && !string.contains { $0.isNumber }
            ? .number(number) : nil
    }

    /// Whether the text has an exponent, but no decimal point or no sign of the exponent.
    private var hasShortExponent: Bool {
        guard let exponent = string.firstIndex(where: { "eE".contains($0) }) else { return false }
        let sign = string[string.index(after: exponent)...].first
        return !string[..<exponent].contains(".") || (sign != "+" && sign != "-")
    }
}
