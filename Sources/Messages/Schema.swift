internal import FoundationEssentials

/// Descriptors of messages, enums and services from a `FileDescriptorSet`, for reflection and for
/// converting messages to and from JSON without generated code.
package struct Schema: Sendable {
    package struct Field: Sendable {
        package let name: String
        package let jsonName: String
        /// From 1 to `maximumNumber`.
        package let number: Int
        package let isRepeated: Bool
        package let kind: Kind
        /// Whether the field is a group, whose message is between two tags on the wire.
        package let isGroup: Bool
        /// The full name of the message or enum type, without a leading dot.
        package let typeName: String
        /// The index in `oneofs` of the field's oneof; nil for proto3 `optional`.
        package let oneof: Int?
        package let isOptional: Bool

        /// The largest field number. Source: protobuf's language guide, "Assigning Field Numbers".
        package static let maximumNumber = 536_870_911
    }

    /// A field's type; raw values are `FieldDescriptorProto.Type`'s. The type of a group, 10, is
    /// `message` here.
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
        /// Full names of all declarations in the file.
        package internal(set) var symbols: [String] = []
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

    /// Adds a file and its transitive imports.
    package mutating func add(_ file: ProtoFile) throws(MessageError) {
        for imported in file.imports { try add(imported) }
        guard let data = Data(base64Encoded: file.base64) else {
            throw MessageError("invalid base64 in the descriptor of a generated file")
        }
        try add(file: [UInt8](data))
    }

    /// Adds a serialized `FileDescriptorProto`. Skips a known file. An invalid file adds nothing.
    package mutating func add(file bytes: [UInt8]) throws(MessageError) {
        let read = try DescriptorReader(bytes, unless: { files[$0] != nil })
        guard let read else { return }
        for message in read.messages { messages[message.fullName] = message }
        for enumeration in read.enumerations { enumerations[enumeration.fullName] = enumeration }
        for service in read.services { services[service.fullName] = service }
        for symbol in read.file.symbols { fileBySymbol[symbol] = read.file.name }
        files[read.file.name] = read.file
    }

    /// A file and its transitive imports, imports first, as serialized `FileDescriptorProto`s.
    package func closure(of fileName: String) -> [[UInt8]] {
        var seen: Set = [fileName]
        var result: [[UInt8]] = []
        // Not recursive, because a chain of imports can be as long as the set.
        var open = files[fileName].map { [(file: $0, visited: 0)] } ?? []
        while let (file, visited) = open.last {
            guard visited < file.dependencies.count else {
                result.append(file.bytes)
                open.removeLast()
                continue
            }
            open[open.count - 1].visited += 1
            let name = file.dependencies[visited]
            if seen.insert(name).inserted, let imported = files[name] { open.append((imported, 0)) }
        }
        return result
    }
}

/// The fields of one message, grouped by number.
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

    /// The last value of an `int32` or enum field. Longer varints lose their upper bits, as in
    /// protobuf's own parsers.
    package func int32(_ number: Int) -> Int32? {
        varint(number).map { Int32(truncatingIfNeeded: $0) }
    }

    /// The last value of a `bool` field.
    package func bool(_ number: Int) -> Bool { varint(number).map { $0 != 0 } ?? false }

    private func varint(_ number: Int) -> UInt64? {
        for field in values.reversed() where field.number == number {
            if case .number(let value, .varint) = field.value { return value }
        }
        return nil
    }
}
