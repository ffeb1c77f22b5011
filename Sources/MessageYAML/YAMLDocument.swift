package import Messages
internal import Yams

/// YAML or JSON in the terms of a `.proto` file, in which every field knows its line.
package struct YAMLDocument {
    private let name: String
    /// The values, and the lines of fields. Nil for JSON that is not YAML.
    private let root: Node?
    /// The values if the document is JSON.
    private let json: JSONValue?
    /// How many values the document may stand for.
    private let maximumValues: Int

    /// - Parameter name: what errors call the document.
    /// - Throws: where it is not valid YAML, and why.
    package init(_ text: String, name: String) throws(MessageError) {
        self.name = name
        maximumValues = min(
            Self.maximumValues, Self.minimumBudget + Self.valuesPerByte * text.utf8.count)
        json = Self.json(text)
        guard json != nil || Self.anchors(in: text) <= Self.maximumAnchors else {
            throw MessageError("\(name) has more than \(Self.maximumAnchors) anchors (&name)")
        }
        do {
            let text = json == nil ? text : SurrogateEscapes.joined(text)
            root = try Yams.compose(yaml: ByteOrderMarks.doubled(text))
        } catch {
            guard let json, !Self.isDuplicateKey(error) else {
                throw MessageError("\(name):\(Self.reason(of: error))")
            }
            root = nil
            guard json.memberCount == Self.members(in: text) else {
                throw MessageError("\(name): a key of an object is given twice")
            }
        }
        guard root != nil || json != nil else { throw MessageError("\(name) is empty") }
    }

    /// An object or array of JSON; nil if the text is something else.
    ///
    /// Most JSON is YAML. JSON with control characters or keys of over 1,024 characters is not.
    private static func json(_ text: String) -> JSONValue? {
        let first = text.utf8.first { !" \t\r\n\u{feff}".utf8.contains($0) }
        guard first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else { return nil }
        return try? JSONValue(parsing: text)
    }

    /// The number of members of all objects in valid JSON. Each has one colon outside strings. The
    /// JSON decoder keeps one of several members with the same key.
    private static func members(in json: String) -> Int {
        var count = 0
        var (isString, isEscaped) = (false, false)
        for byte in json.utf8 {
            switch byte {
            case _ where isEscaped: isEscaped = false
            case UInt8(ascii: "\\") where isString: isEscaped = true
            case UInt8(ascii: "\""): isString.toggle()
            case UInt8(ascii: ":") where !isString: count += 1
            default: break
            }
        }
        return count
    }

    private static func isDuplicateKey(_ error: any Error) -> Bool {
        if case .duplicatedKeysInMapping = error as? YamlError { true } else { false }
    }

    /// Where it is wrong, and why. Without the line itself, which Yams shows: it may hold a secret.
    private static func reason(of error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "\(mark.line):\(mark.column): invalid YAML: \(problem)"
        case .reader(let problem, let offset, _, let text):
            "\(text.prefix(offset ?? 0).count(where: \.isNewline) + 1): invalid YAML: \(problem)"
        case .duplicatedKeysInMapping(let keys, let context):
            "\(context.mark.line): the key '\(keys.first?.prefix(100) ?? "")' is given twice"
        default: " invalid YAML"
        }
    }

    /// More values than any configuration has. A few lines of aliases of aliases stand for as many,
    /// but each byte of a configuration stands for few.
    private static let maximumValues = 1_000_000
    /// What the shortest document may stand for.
    private static let minimumBudget = 10_000
    private static let valuesPerByte = 10

    /// libyaml reads 1,000 levels, and each anchor whose value contains an alias can add as many.
    /// About 45,000 overflow the stack of the main thread when they are released.
    private static let maximumAnchors = 30

    /// The number of anchors in a text, those that only look like one included.
    private static func anchors(in text: String) -> Int {
        var count = 0
        // An ampersand inside a word, as in `a=1&b=2`, begins no anchor.
        var (beginsToken, beginsAnchor) = (true, false)
        for byte in text.utf8 {
            if beginsAnchor, byte > 0x20, byte != UInt8(ascii: "&") { count += 1 }
            beginsAnchor = beginsToken && byte == UInt8(ascii: "&")
            beginsToken = byte <= 0x20 || ",:[{".utf8.contains(byte)
        }
        return count
    }

    /// The message that the document describes.
    ///
    /// - Throws: which field is wrong, and its line.
    package func message<Message: ProtobufMessage>(
        as type: Message.Type = Message.self
    ) throws(MessageError) -> Message {
        do throws(MessageError) {
            let bytes = try JSONTranscoder(schema: try Self.schema(of: type)).bytes(
                from: try value, message: type.messageName ?? "")
            return try Message(serializedBytes: bytes)
        } catch {
            throw MessageError(located(error.field ?? "", error.reason))
        }
    }

    private var value: JSONValue {
        get throws(MessageError) {
            if let json { return json }
            guard let root else { return .null }
            return try JSONValue(document: root, maximumValues: maximumValues)
        }
    }

    private static func schema<Message: ProtobufMessage>(
        of type: Message.Type
    ) throws(MessageError) -> Schema {
        var schema = Schema()
        try schema.add(type._file)
        return schema
    }

    /// A sentence about a field, with the document and the line.
    ///
    /// - Parameter path: `backends[0].upstream.addresses`
    package func located(_ path: String, _ reason: String) -> String {
        let line = line(of: path).map { ":\($0)" } ?? ""
        return "\(name)\(line): \(path.isEmpty ? "" : "\(path): ")\(reason)"
    }

    /// Where a field is, or what it would be in.
    private func line(of path: String) -> Int? {
        guard var node = root else { return nil }
        var line = node.mark?.line
        for step in path.split(whereSeparator: { ".[]\"".contains($0) }) {
            switch node {
            case .mapping(let mapping):
                let wanted = Self.plain(step)
                guard let pair = mapping.first(where: { Self.plain($0.key.string ?? "") == wanted })
                else { return line }
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

    /// The same for `max_requests` and `maxRequests`.
    private static func plain(_ name: some StringProtocol) -> String {
        String(name.filter { $0 != "_" }).lowercased()
    }

    /// A message as YAML.
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

/// How many values a document may still stand for.
private struct Budget {
    let limit: Int
    private var used = 0

    init(limit: Int) { self.limit = limit }

    mutating func takeOne() throws(MessageError) {
        used += 1
        guard used <= limit else {
            throw MessageError("there are more than \(limit) values, aliases resolved")
        }
    }
}

extension JSONValue {
    /// An array and an object for each of the messages that may nest.
    private static let maximumDepth = 200

    /// YAML as the JSON that means the same. A scalar that does not look like a number or a boolean
    /// is a string.
    fileprivate init(document root: Node, maximumValues: Int) throws(MessageError) {
        var budget = Budget(limit: maximumValues)
        try self.init(root, &budget, depth: 0)
    }

    private init(_ node: Node, _ budget: inout Budget, depth: Int) throws(MessageError) {
        guard depth <= Self.maximumDepth else {
            throw MessageError("it nests deeper than \(Self.maximumDepth) levels")
        }
        try budget.takeOne()
        switch node {
        case .mapping(let mapping):
            var members: [(key: String, value: JSONValue)] = []
            for (key, value) in mapping {
                guard let key = key.scalar?.text else {
                    throw MessageError("line \(key.mark?.line ?? 0): a key must be a string")
                }
                members.append((key, try JSONValue(value, &budget, depth: depth + 1)))
            }
            self = .object(members)
        case .sequence(let sequence):
            var elements: [JSONValue] = []
            for element in sequence {
                elements.append(try JSONValue(element, &budget, depth: depth + 1))
            }
            self = .array(elements)
        case .scalar(let scalar):
            self = scalar.special ?? .string(scalar.text)
        case .alias(let alias):
            throw MessageError("line \(alias.mark?.line ?? 0): aliases are not supported")
        }
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

    /// A string that every YAML reader reads back as the same string: with quotes if it looks like
    /// something else, and with escapes if it contains more than printable ASCII. (Line breaks of
    /// Unicode in other kinds of scalars become ordinary ones.)
    private static func text(_ text: String) -> Node {
        let plain = Scalar(text)
        guard PlainScalar.isString(text), plain.special == nil else {
            return Node(text, .implicit, .doubleQuoted)
        }
        return .scalar(plain)
    }
}

extension Node.Scalar {
    /// The string that it stands for.
    fileprivate var text: String {
        ByteOrderMarks.single(string, hasEscapes: style != .doubleQuoted)
    }

    /// What the scalar is if not a string: null, a boolean or a number. Quoted scalars are strings.
    fileprivate var special: JSONValue? {
        guard style == .plain || style == .any else { return nil }
        if ["", "~", "null", "Null", "NULL"].contains(string) { return .null }
        if let flag = Bool.construct(from: self) { return .bool(flag) }
        return number
    }

    /// YAML's numbers, except those to base 60 such as 1:30, which YAML 1.2 no longer has: Yams
    /// traps when one of them overflows.
    private var number: JSONValue? {
        guard !string.contains(":") else { return nil }
        if let number = Int64.construct(from: self) { return .integer(number) }
        if let number = UInt64.construct(from: self) { return .unsigned(number) }
        // To readers of YAML 1.1, as Python's, 1e3 is a string, and they write it without quotes.
        // Fields of numbers accept such strings.
        guard let number = Double.construct(from: self), !hasShortExponent else { return nil }
        // YAML writes .inf and .nan; inf and nan are strings, and so is 1e999.
        return number.isFinite || string.contains(".") && !string.contains { $0.isNumber }
            ? .number(number) : nil
    }

    /// Whether it has an exponent, but no decimal point or no sign of the exponent.
    private var hasShortExponent: Bool {
        guard let exponent = string.firstIndex(where: { "eE".contains($0) }) else { return false }
        let sign = string[string.index(after: exponent)...].first
        return !string[..<exponent].contains(".") || (sign != "+" && sign != "-")
    }
}

extension JSONValue {
    /// The number of members of all objects in it.
    fileprivate var memberCount: Int {
        switch self {
        case .object(let members): members.reduce(members.count) { $0 + $1.value.memberCount }
        case .array(let elements): elements.reduce(0) { $0 + $1.memberCount }
        default: 0
        }
    }
}
