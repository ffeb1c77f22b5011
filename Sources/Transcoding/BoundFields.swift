internal import Messages

/// Values of fields from the path and the query of a URL, as a tree.
final class BoundFields {
    /// The name as the client wrote it, for errors.
    private let name: String
    private var children: [Int: BoundFields] = [:]
    /// The children's numbers in the order of the query.
    private var order: [Int] = []
    private(set) var values: [JSONValue] = []
    private var isRepeated = false

    init(_ name: String = "") { self.name = name }

    var isEmpty: Bool { children.isEmpty && values.isEmpty }

    /// Adds one value of the last field of a path.
    ///
    /// - Returns: false if the field is not repeated and has a value.
    func add(_ value: JSONValue, at fields: [Schema.Field], _ names: [String]) -> Bool {
        var node = self
        for (field, name) in zip(fields, names) {
            let child = node.children[field.number] ?? BoundFields(name)
            if node.children.updateValue(child, forKey: field.number) == nil {
                node.order.append(field.number)
            }
            child.isRepeated = field.isRepeated
            node = child
        }
        guard node.isRepeated || node.values.isEmpty else { return false }
        node.values.append(value)
        return true
    }

    /// Whether a field or one inside it has a value, or the field is inside one that has.
    func overlaps(_ fields: [Schema.Field]) -> Bool {
        var node = self
        for field in fields {
            guard let child = node.children[field.number] else { return false }
            if !child.values.isEmpty { return true }
            node = child
        }
        return true
    }

    /// The JSON of the values, with the members of a body. A value from the URL replaces the
    /// body's.
    ///
    /// - Parameter type: the message type; nil if the schema does not have it.
    func json(over body: JSONValue?, _ type: Schema.Message?, in schema: Schema) -> JSONValue {
        if children.isEmpty {
            if isRepeated { return .array(values) }
            return values.last ?? body ?? .object([])
        }
        var members: [(key: String, value: JSONValue)] = []
        switch body {
        case nil, .null: break
        case .object(let found): members = found
        // The error of the encoder names the field and its type.
        case let invalid?: return invalid
        }
        for number in order {
            guard let child = children[number] else { continue }
            let field = type?.field(number)
            let inner = field.flatMap { schema.message(named: $0.typeName) }
            // Of two spellings of a name, the last counts.
            let position = members.lastIndex { type?.field(named: $0.key)?.number == number }
            let value = child.json(
                over: position.map { members[$0].value }, inner, in: schema)
            if let position {
                members[position].value = value
            } else {
                members.append((child.name, value))
            }
        }
        return .object(members)
    }
}
