internal import FoundationEssentials

/// Message, enum and service descriptions read from a `FileDescriptorSet`: what reflection serves,
/// and what turns messages into JSON and back without generated code.
///
/// Numbers in the parsing code are the field numbers of `google/protobuf/descriptor.proto`.
package struct Schema: Sendable {
    package struct Field: Sendable {
        package let name: String
        package let jsonName: String
        package let number: Int
        package let isRepeated: Bool
        package let kind: Kind
        /// The full name of the message or enum type, without a leading dot.
        package let typeName: String
        /// The index of the oneof that the field belongs to, proto3 `optional` left out.
        package let oneof: Int?
        package let isOptional: Bool
    }

    /// A field's type; raw values are `FieldDescriptorProto.Type`'s.
    package enum Kind: Int, Sendable {
        case double = 1
        case float, int64, uint64, int32, fixed64, fixed32, bool, string
        case message = 11
        case bytes, uint32, enumeration, sfixed32, sfixed64, sint32, sint64
    }

    package struct Message: Sendable {
        package let fullName: String
        package let fields: [Field]
        package let oneofs: [String]
        package let isMapEntry: Bool

        package func field(_ number: Int) -> Field? { fields.first { $0.number == number } }
    }

    package struct Enumeration: Sendable {
        package let fullName: String
        package let values: [(name: String, number: Int)]
    }

    package struct Method: Sendable {
        package let name: String
        package let input: String
        package let output: String
        package let clientStreams: Bool
        package let serverStreams: Bool
    }

    package struct Service: Sendable {
        package let fullName: String
        package let methods: [Method]
    }

    package struct File: Sendable {
        package let name: String
        package let package: String
        package let dependencies: [String]
        /// The serialized `FileDescriptorProto`.
        package let bytes: [UInt8]
        /// Full names of everything that the file declares.
        package fileprivate(set) var symbols: [String] = []
    }

    package private(set) var files: [String: File] = [:]
    package private(set) var messages: [String: Message] = [:]
    package private(set) var enumerations: [String: Enumeration] = [:]
    package private(set) var services: [String: Service] = [:]
    /// Symbol → name of the file that declares it.
    package private(set) var fileBySymbol: [String: String] = [:]

    package init() {}

    /// Reads a serialized `FileDescriptorSet`.
    package init(descriptorSet: [UInt8]) throws(MessageError) {
        try add(descriptorSet: descriptorSet)
    }

    /// Adds the files of a serialized `FileDescriptorSet`.
    package mutating func add(descriptorSet: [UInt8]) throws(MessageError) {
        var reader = WireReader(descriptorSet[...])
        while let (number, value) = try reader.next() {
            if number == 1, case .bytes(let file) = value { try add(file: Array(file)) }
        }
    }

    /// Adds a file and all that it imports.
    package mutating func add(_ file: ProtoFile) throws(MessageError) {
        for imported in file.imports { try add(imported) }
        guard let data = Data(base64Encoded: file.base64) else {
            throw MessageError("a generated file's description is not base64")
        }
        try add(file: [UInt8](data))
    }

    /// Adds a serialized `FileDescriptorProto`; a file already known is skipped.
    package mutating func add(file bytes: [UInt8]) throws(MessageError) {
        let parsed = try ParsedFields(bytes[...])
        let name = parsed.text(1)
        guard files[name] == nil else { return }
        let package = parsed.text(2)
        var file = File(
            name: name, package: package, dependencies: parsed.texts(3), bytes: bytes)
        for message in parsed.messages(4) {
            try add(message: message, scope: package, to: &file)
        }
        for enumeration in parsed.messages(5) {
            try add(enumeration: enumeration, scope: package, to: &file)
        }
        for service in parsed.messages(6) { try add(service: service, scope: package, to: &file) }
        for symbol in file.symbols { fileBySymbol[symbol] = name }
        files[name] = file
    }

    private mutating func add(
        message bytes: ArraySlice<UInt8>, scope: String, to file: inout File
    ) throws(MessageError) {
        let parsed = try ParsedFields(bytes)
        let fullName = Self.join(scope, parsed.text(1))
        var fields: [Field] = []
        for field in parsed.messages(2) { fields.append(try Self.field(field)) }
        var oneofs: [String] = []
        for oneof in parsed.messages(8) { oneofs.append(try ParsedFields(oneof).text(1)) }
        var isMapEntry = false
        for options in parsed.messages(7) {
            isMapEntry = try ParsedFields(options).number(7) == 1
        }
        messages[fullName] = Message(
            fullName: fullName, fields: fields, oneofs: oneofs, isMapEntry: isMapEntry)
        file.symbols.append(fullName)
        for nested in parsed.messages(3) { try add(message: nested, scope: fullName, to: &file) }
        for nested in parsed.messages(4) {
            try add(enumeration: nested, scope: fullName, to: &file)
        }
    }

    private static func field(_ bytes: ArraySlice<UInt8>) throws(MessageError) -> Field {
        let parsed = try ParsedFields(bytes)
        let name = parsed.text(1)
        guard let kind = Kind(rawValue: Int(parsed.number(5) ?? 0)) else {
            throw MessageError("field '\(name)' has a type that is not supported (a group?)")
        }
        let isOptional = parsed.number(17) == 1
        return Field(
            name: name, jsonName: parsed.text(10), number: Int(parsed.number(3) ?? 0),
            isRepeated: parsed.number(4) == 3, kind: kind,
            typeName: String(parsed.text(6).drop { $0 == "." }),
            oneof: isOptional ? nil : parsed.number(9).map(Int.init), isOptional: isOptional)
    }

    private mutating func add(
        enumeration bytes: ArraySlice<UInt8>, scope: String, to file: inout File
    ) throws(MessageError) {
        let parsed = try ParsedFields(bytes)
        let fullName = Self.join(scope, parsed.text(1))
        var values: [(name: String, number: Int)] = []
        for value in parsed.messages(2) {
            let entry = try ParsedFields(value)
            let number = Int(Int32(truncatingIfNeeded: entry.number(2) ?? 0))
            values.append((entry.text(1), number))
        }
        enumerations[fullName] = Enumeration(fullName: fullName, values: values)
        file.symbols.append(fullName)
    }

    private mutating func add(
        service bytes: ArraySlice<UInt8>, scope: String, to file: inout File
    ) throws(MessageError) {
        let parsed = try ParsedFields(bytes)
        let fullName = Self.join(scope, parsed.text(1))
        var methods: [Method] = []
        for method in parsed.messages(2) {
            let entry = try ParsedFields(method)
            methods.append(
                Method(
                    name: entry.text(1), input: String(entry.text(2).drop { $0 == "." }),
                    output: String(entry.text(3).drop { $0 == "." }),
                    clientStreams: entry.number(5) == 1, serverStreams: entry.number(6) == 1))
            file.symbols.append("\(fullName).\(entry.text(1))")
        }
        services[fullName] = Service(fullName: fullName, methods: methods)
        file.symbols.append(fullName)
    }

    private static func join(_ scope: String, _ name: String) -> String {
        scope.isEmpty ? name : "\(scope).\(name)"
    }

    /// A file and all that it imports, the imported first, as serialized `FileDescriptorProto`s.
    package func closure(of fileName: String) -> [[UInt8]] {
        var seen = Set<String>()
        var result: [[UInt8]] = []
        func visit(_ name: String) {
            guard seen.insert(name).inserted, let file = files[name] else { return }
            file.dependencies.forEach(visit)
            result.append(file.bytes)
        }
        visit(fileName)
        return result
    }
}

/// The fields of one message, gathered by number.
package struct ParsedFields {
    private var values: [(number: Int, value: WireReader.Value)] = []

    package init(_ bytes: ArraySlice<UInt8>) throws(MessageError) {
        var reader = WireReader(bytes)
        while let field = try reader.next() { values.append(field) }
    }

    package func messages(_ number: Int) -> [ArraySlice<UInt8>] {
        values.compactMap {
            if $0.number == number, case .bytes(let bytes) = $0.value { return bytes }
            return nil
        }
    }

    package func texts(_ number: Int) -> [String] {
        messages(number).map { String(decoding: $0, as: UTF8.self) }
    }

    package func text(_ number: Int) -> String { texts(number).last ?? "" }

    package func number(_ number: Int) -> UInt64? {
        for field in values.reversed() where field.number == number {
            if case .number(let value, _) = field.value { return value }
        }
        return nil
    }
}
