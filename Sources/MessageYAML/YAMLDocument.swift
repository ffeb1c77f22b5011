package import Messages
internal import Yams

/// YAML or JSON in the terms of a `.proto` file, in which every field knows its line.
package struct YAMLDocument {
    private let name: String
    private let root: Node

    /// - Parameter name: what errors call the document.
    /// - Throws: where it is no YAML, and why.
    package init(_ text: String, name: String) throws(MessageError) {
        self.name = name
        let composed: Node?
        do {
            composed = try Yams.compose(yaml: text)
        } catch {
            // It shows the line, which may be a long one.
            let lines = "\(error)".split(separator: "\n").map { $0.prefix(200) }
            throw MessageError("\(name) is no YAML: \(lines.joined(separator: "\n"))")
        }
        guard let composed else { throw MessageError("\(name) is empty") }
        root = composed
    }

    /// The message that the document describes.
    ///
    /// - Throws: which field is wrong, and its line.
    package func message<Message: ProtobufMessage>(
        as type: Message.Type = Message.self
    ) throws(MessageError) -> Message {
        do throws(MessageError) {
            let bytes = try JSONTranscoder(schema: try Self.schema(of: type)).bytes(
                from: try JSONValue(document: root), message: type.messageName ?? "")
            return try Message(serializedBytes: bytes)
        } catch {
            throw MessageError(located(error.field ?? "", error.reason))
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
        var node = root
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
            throw MessageError("can't be written as YAML: \(error)")
        }
    }
}

extension JSONValue {
    /// More values than any configuration has; a few lines of aliases of aliases stand for as many.
    private static let maximumValues = 1_000_000

    /// YAML as the JSON that means the same; what looks like no number or boolean is a string.
    fileprivate init(document root: Node) throws(MessageError) {
        var room = Self.maximumValues
        try self.init(root, &room)
    }

    private init(_ node: Node, _ room: inout Int) throws(MessageError) {
        room -= 1
        guard room >= 0 else {
            throw MessageError("there are more than \(Self.maximumValues) values, aliases resolved")
        }
        switch node {
        case .mapping(let mapping):
            var members: [(key: String, value: JSONValue)] = []
            for (key, value) in mapping {
                guard let key = key.string else {
                    throw MessageError("line \(key.mark?.line ?? 0): a key must be a string")
                }
                members.append((key, try JSONValue(value, &room)))
            }
            self = .object(members)
        case .sequence(let sequence):
            var elements: [JSONValue] = []
            for element in sequence { elements.append(try JSONValue(element, &room)) }
            self = .array(elements)
        case .scalar(let scalar):
            // Quoted scalars are strings whatever they look like.
            guard scalar.style == .plain || scalar.style == .any else {
                self = .string(scalar.string)
                return
            }
            if node.null != nil {
                self = .null
            } else if let flag = node.bool {
                self = .bool(flag)
            } else if let number = node.int {
                self = .integer(Int64(number))
            } else if let number = node.float {
                self = .number(number)
            } else {
                self = .string(scalar.string)
            }
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
        case .null, .bool, .integer, .unsigned, .number: self = Node(json.text(indent: 0))
        }
    }

    /// A string that is read back as one, also where it looks like something else.
    private static func text(_ text: String) -> Node {
        let plain = Node(text)
        let isMisread =
            plain.null != nil || plain.bool != nil || plain.int != nil || plain.float != nil
        return isMisread ? Node(text, .implicit, .doubleQuoted) : plain
    }
}
