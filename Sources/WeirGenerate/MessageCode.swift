internal import Messages

/// Generates the Swift struct of one message: its properties, and the two functions that copy them
/// from and to protobuf-c's struct.
struct MessageCode {
    let message: Schema.Message
    let file: SwiftFile

    private var access: String { file.visibility.rawValue }
    private var cType: String { CName.type(message.fullName) }

    init(message: Schema.Message, in file: SwiftFile) {
        self.message = message
        self.file = file
    }

    var lines: [String] {
        let name = file.swiftType(message.fullName).split(separator: ".").last ?? ""
        let function = CName.function(message.fullName)
        return ["/// `\(message.fullName)`", "\(access) struct \(name): ProtobufMessage {"]
            + indented(
                properties + ["", "\(access) init() {}", ""] + initializer + [
                    "\(access) static var messageName: String? { \"\(message.fullName)\" }",
                    "\(access) static let _layout = unsafe MessageLayout(\(function)__init)",
                    "\(access) static var _file: ProtoFile { \(file.fileReference) }", "",
                ] + reader + [""] + writer) + ["}"]
    }

    private func indented(_ lines: [String]) -> [String] {
        lines.map { $0.isEmpty ? $0 : "    " + $0 }
    }

    // MARK: Properties

    /// A stored property: a field, or a oneof at the position of its first field.
    private enum Member {
        case field(Schema.Field)
        case oneof(index: Int, name: String, fields: [Schema.Field])
    }

    private var members: [Member] {
        var seen = Set<Int>()
        return message.fields.compactMap { field in
            guard let index = field.oneof else { return .field(field) }
            guard seen.insert(index).inserted else { return nil }
            let fields = message.fields.filter { $0.oneof == index }
            return .oneof(index: index, name: message.oneofs[index], fields: fields)
        }
    }

    private var properties: [String] {
        var lines: [String] = []
        for member in members {
            switch member {
            case .field(let field):
                lines.append("/// Field \(field.number), `\(field.name)`.")
                lines.append(
                    "\(access) var \(SwiftName.field(field.name)): "
                        + "\(storedType(field))\(initial(field))")
            case .oneof(_, let name, let fields):
                lines.append("/// Which field of `oneof \(name)` is set.")
                lines.append("\(access) enum \(SwiftName.oneof(name)): Hashable, Sendable {")
                for field in fields {
                    lines.append(
                        "    case \(SwiftName.field(field.name))(\(elementType(field)))")
                }
                lines.append("}")
                lines.append("/// `oneof \(name)`")
                lines.append("\(access) var \(SwiftName.field(name)): \(SwiftName.oneof(name))?")
            }
        }
        return lines
    }

    private var initializer: [String] {
        guard !members.isEmpty else { return [] }
        var parameters: [String] = []
        var body: [String] = []
        for member in members {
            switch member {
            case .field(let field):
                let name = SwiftName.field(field.name)
                let initial = initial(field).isEmpty ? " = nil" : initial(field)
                parameters.append("\(name): \(storedType(field))\(initial)")
                body.append("    self.\(name) = \(name)")
            case .oneof(_, let oneof, _):
                let name = SwiftName.field(oneof)
                parameters.append("\(name): \(SwiftName.oneof(oneof))? = nil")
                body.append("    self.\(name) = \(name)")
            }
        }
        return ["\(access) init("] + [parameters.map { "    " + $0 }.joined(separator: ",\n    ")]
            + [") {"] + body + ["}", ""]
    }

    private func mapEntry(_ field: Schema.Field) -> Schema.Message? {
        guard field.kind == .message, field.isRepeated else { return nil }
        return file.schema.messages[field.typeName].flatMap { $0.isMapEntry ? $0 : nil }
    }

    private func storedType(_ field: Schema.Field) -> String {
        if let entry = mapEntry(field), let key = entry.field(1), let value = entry.field(2) {
            return "[\(elementType(key)): \(elementType(value))]"
        }
        if field.isRepeated { return "[\(elementType(field))]" }
        return elementType(field) + (isOptional(field) ? "?" : "")
    }

    private func isOptional(_ field: Schema.Field) -> Bool {
        field.isOptional || field.kind == .message
    }

    private func initial(_ field: Schema.Field) -> String {
        if mapEntry(field) != nil { return " = [:]" }
        if field.isRepeated { return " = []" }
        if isOptional(field) { return "" }
        switch field.kind {
        case .bool: return " = false"
        case .string: return " = \"\""
        case .bytes: return " = []"
        case .enumeration: return " = \(elementType(field))(rawValue: 0)"
        default: return " = 0"
        }
    }

    private func elementType(_ field: Schema.Field) -> String {
        switch field.kind {
        case .double: "Double"
        case .float: "Float"
        case .int64, .sint64, .sfixed64: "Int64"
        case .uint64, .fixed64: "UInt64"
        case .int32, .sint32, .sfixed32: "Int32"
        case .uint32, .fixed32: "UInt32"
        case .bool: "Bool"
        case .string: "String"
        case .bytes: "[UInt8]"
        case .enumeration, .message: file.swiftType(field.typeName)
        }
    }

    // MARK: From C

    private var reader: [String] {
        var body: [String] = []
        for member in members {
            switch member {
            case .field(let field): body += read(field)
            case .oneof(_, let name, let fields):
                let property = SwiftName.field(name)
                body.append("switch unsafe Int(c.pointee.\(CName.lower(name))_case.rawValue) {")
                for field in fields {
                    let value = "unsafe c.pointee.\(CName.field(field.name))"
                    body.append("case \(field.number):")
                    let label = SwiftName.field(field.name)
                    if field.kind == .message {
                        body.append("    if let value = \(value) {")
                        body.append(
                            "        self.\(property) = .\(label)(\(decode("value", field)))")
                        body.append("    }")
                    } else {
                        body.append("    let value = \(value)")
                        body.append("    self.\(property) = .\(label)(\(decode("value", field)))")
                    }
                }
                body += ["default: break", "}"]
            }
        }
        let unused = "_ = unsafe _cMessage"
        let bind = "let c = unsafe _cMessage.assumingMemoryBound(to: \(cType).self)"
        return [
            "\(access) mutating func _read(_ _cMessage: UnsafeRawPointer) throws(MessageError) {"
        ]
            + indented([body.isEmpty ? unused : bind] + body) + ["}"]
    }

    private func read(_ field: Schema.Field) -> [String] {
        let property = SwiftName.field(field.name)
        let source = "c.pointee.\(CName.field(field.name))"
        if let entry = mapEntry(field), let key = entry.field(1), let value = entry.field(2) {
            return [
                "for index in unsafe 0..<c.pointee.\(CName.count(field.name)) {",
                "    guard let entry = unsafe \(source)[index] else { continue }",
                "    let key = unsafe entry.pointee.key",
            ]
                + (value.kind == .message
                    ? ["    guard let value = unsafe entry.pointee.value else { continue }"]
                    : ["    let value = unsafe entry.pointee.value"]) + [
                    "    self.\(property)[\(decode("key", key))] = \(decode("value", value))", "}",
                ]
        }
        if field.isRepeated {
            let element = field.kind == .message ? "guard let value" : "let value"
            let end = field.kind == .message ? " else { continue }" : ""
            return [
                "for index in unsafe 0..<c.pointee.\(CName.count(field.name)) {",
                "    \(element) = unsafe \(source)[index]\(end)",
                "    self.\(property).append(\(decode("value", field)))", "}",
            ]
        }
        if field.kind == .message {
            return [
                "if let value = unsafe \(source) { self.\(property) = \(decode("value", field)) }"
            ]
        }
        if field.isOptional {
            return [
                "if unsafe c.pointee.\(presence(field)).rawValue != 0 {",
                "    let value = unsafe \(source)",
                "    self.\(property) = \(decode("value", field))", "}",
            ]
        }
        if field.kind == .string || field.kind == .bytes {
            return [
                "do {", "    let value = unsafe \(source)",
                "    self.\(property) = \(decode("value", field))", "}",
            ]
        }
        return ["self.\(property) = \(decode("unsafe \(source)", field))"]
    }

    /// In C, an `optional` field is the only field of a oneof; see `ByteStrings`.
    private func presence(_ field: Schema.Field) -> String { "_\(field.name)_case" }

    /// The code that converts a C value to a Swift value.
    private func decode(_ value: String, _ field: Schema.Field) -> String {
        switch field.kind {
        case .message: return "try unsafe \(elementType(field))(_cMessage: \(value))"
        case .string:
            let name = "\(message.fullName).\(field.name)"
            return "try unsafe Arena.text(\(value).data, \(value).len, field: \"\(name)\")"
        case .bytes: return "unsafe Arena.bytes(\(value).data, \(value).len)"
        case .bool: return "\(value) != 0"
        case .enumeration:
            return "\(elementType(field))(rawValue: Int32(truncatingIfNeeded: \(value).rawValue))"
        default: return value
        }
    }

    // MARK: To C

    private var writer: [String] {
        var body: [String] = []
        for member in members {
            switch member {
            case .field(let field): body += write(field)
            case .oneof(_, let name, let fields):
                body.append("switch self.\(SwiftName.field(name)) {")
                for field in fields {
                    body.append("case .\(SwiftName.field(field.name))(let value):")
                    body.append(
                        "    unsafe c.pointee.\(CName.lower(name))_case = "
                            + ".init(rawValue: \(field.number))")
                    body.append(
                        "    unsafe c.pointee.\(CName.field(field.name)) = "
                            + encode("value", field))
                }
                body += ["case nil: break", "}"]
            }
        }
        let bind = "let c = unsafe _cMessage.assumingMemoryBound(to: \(cType).self)"
        return ["\(access) func _fill(_ _cMessage: UnsafeMutableRawPointer, _ arena: Arena) {"]
            + indented(body.isEmpty ? [] : [bind] + body) + ["}"]
    }

    private func write(_ field: Schema.Field) -> [String] {
        let property = SwiftName.field(field.name)
        let name = CName.field(field.name)
        if let entry = mapEntry(field), let key = entry.field(1), let value = entry.field(2) {
            let type = CName.type(entry.fullName)
            // Sorted, so that equal messages have equal bytes.
            let order = key.kind == .bool ? "!$0.key && $1.key" : "$0.key < $1.key"
            return pointers(field, type, count: "self.\(property)") + [
                "for (index, entry) in self.\(property).sorted(by: { \(order) }).enumerated() {",
                "    let target = unsafe arena.zeroed(\(type).self)",
                "    unsafe \(CName.function(entry.fullName))__init(target)",
                "    unsafe target.pointee.key = \(encode("entry.key", key))",
                "    unsafe target.pointee.value = \(encode("entry.value", value))",
                "    unsafe c.pointee.\(name)[index] = target", "}",
            ]
        }
        if field.isRepeated {
            let element = cElement(field)
            return pointers(
                field, element, count: "self.\(property)", direct: field.kind != .message) + [
                    "for (index, value) in self.\(property).enumerated() {",
                    "    unsafe c.pointee.\(name)[index] = \(encode("value", field))", "}",
                ]
        }
        if isOptional(field) {
            let mark = "    unsafe c.pointee.\(presence(field)) = .init(rawValue: \(field.number))"
            return ["if let value = self.\(property) {"] + (field.kind == .message ? [] : [mark])
                + ["    unsafe c.pointee.\(name) = \(encode("value", field))", "}"]
        }
        return ["unsafe c.pointee.\(name) = \(encode("self.\(property)", field))"]
    }

    private func pointers(
        _ field: Schema.Field, _ type: String, count: String, direct: Bool = false
    ) -> [String] {
        let element = direct ? type : "UnsafeMutablePointer<\(type)>?"
        return [
            "unsafe c.pointee.\(CName.count(field.name)) = \(count).count",
            "unsafe c.pointee.\(CName.field(field.name)) = "
                + "arena.zeroed((\(element)).self, count: \(count).count)",
        ]
    }

    private func cElement(_ field: Schema.Field) -> String {
        switch field.kind {
        case .message, .enumeration: CName.type(field.typeName)
        case .string, .bytes: "ProtobufCBinaryData"
        case .bool: "protobuf_c_boolean"
        default: elementType(field)
        }
    }

    /// The code that converts a Swift value to a C value.
    private func encode(_ value: String, _ field: Schema.Field) -> String {
        switch field.kind {
        case .message:
            let type = CName.type(field.typeName)
            return "unsafe \(value)._make(in: arena).assumingMemoryBound(to: \(type).self)"
        case .string, .bytes: return "unsafe ProtobufCBinaryData(arena.copy(\(value)))"
        case .bool: return "\(value) ? 1 : 0"
        case .enumeration:
            return "\(CName.type(field.typeName))"
                + "(rawValue: .init(truncatingIfNeeded: \(value).rawValue))"
        default: return value
        }
    }
}
