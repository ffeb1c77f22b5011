internal import FoundationEssentials

/// Descriptors of messages, enums and services from a `FileDescriptorSet`, for reflection and for
/// converting messages to and from JSON without generated code.
package struct Schema: Sendable {
    package struct Field: Sendable {
        /// The name in the file, or `[full.name]` of an extension.
        package let name: String
        /// The name in JSON: that of the descriptor, else derived as protoc does.
        package let jsonName: String
        /// From 1 to `maximumNumber`.
        package let number: Int
        package let isRepeated: Bool
        /// Whether repeated numbers are packed when written.
        let isPacked: Bool
        package let kind: Kind
        /// Whether the field is a group, whose message is between two tags on the wire.
        package let isGroup: Bool
        /// The full name of the message or enum type, without a leading dot.
        package let typeName: String
        /// The index in `oneofs` of the field's oneof; nil for proto3 `optional`.
        package let oneof: Int?
        /// Whether it is `optional` in proto3.
        package let isOptional: Bool
        /// Whether the field distinguishes unset from its default.
        package let hasPresence: Bool

        /// The largest field number. Source: protobuf's language guide, "Assigning Field Numbers".
        package static let maximumNumber = 536_870_911

        /// The JSON name that protoc derives: each letter after an underscore is a capital.
        static func jsonName(of name: String) -> String {
            var (result, isCapital) = ("", false)
            for scalar in name.unicodeScalars {
                if scalar == "_" {
                    isCapital = true
                } else {
                    let isLower = isCapital && ("a"..."z").contains(scalar)
                    result += isLower ? String(scalar).uppercased() : String(scalar)
                    isCapital = false
                }
            }
            return result
        }
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
        /// Indices of the fields by number and by name; nil for a few fields, which are searched.
        private let byNumber: [Int: Int]?
        private let byName: [ExactText: Int]?

        init(fullName: String, fields: [Field], oneofs: [String], isMapEntry: Bool) {
            self.fullName = fullName
            self.fields = fields
            self.oneofs = oneofs
            self.isMapEntry = isMapEntry
            byNumber = fields.isFew ? nil : fields.positions(by: \.number)
            // A JSON name takes precedence over the original name of another field.
            byName =
                fields.isFew
                ? nil
                : fields.positions { ExactText($0.jsonName) }.merging(
                    fields.positions { ExactText($0.name) }, uniquingKeysWith: { first, _ in first }
                )
        }

        package func field(_ number: Int) -> Field? {
            guard let byNumber else { return fields.first { $0.number == number } }
            return byNumber[number].map { fields[$0] }
        }

        /// The field with a JSON name or an original name.
        package func field(named name: String) -> Field? {
            guard let byName else {
                return fields.first { $0.jsonName.hasSameCodePoints(as: name) }
                    ?? fields.first { $0.name.hasSameCodePoints(as: name) }
            }
            return byName[ExactText(name)].map { fields[$0] }
        }
    }

    package struct Enumeration: Sendable {
        package let fullName: String
        package let values: [(name: String, number: Int)]
        /// Whether numbers without a value are unknown fields.
        package let isClosed: Bool
        /// Indices of the values; nil for a few values, which are searched.
        private let byNumber: [Int: Int]?
        private let byName: [ExactText: Int]?

        init(fullName: String, values: [(name: String, number: Int)], isClosed: Bool) {
            self.fullName = fullName
            self.values = values
            self.isClosed = isClosed
            byNumber = values.isFew ? nil : values.positions(by: \.number)
            byName = values.isFew ? nil : values.positions { ExactText($0.name) }
        }

        /// The first name of a number.
        func name(of number: Int) -> String? {
            guard let byNumber else { return values.first { $0.number == number }?.name }
            return byNumber[number].map { values[$0].name }
        }

        func number(of name: String) -> Int? {
            guard let byName else {
                return values.first { $0.name.hasSameCodePoints(as: name) }?.number
            }
            return byName[ExactText(name)].map { values[$0].number }
        }
    }

    /// An extension of a message.
    package struct Extension: Sendable {
        /// The full name of the extended message.
        package let extendee: String
        package let field: Field
    }

    package struct Method: Sendable {
        package let name: String
        package let input: String
        package let output: String
        package let clientStreams: Bool
        package let serverStreams: Bool
        /// Whether a call may change something: unless the method is declared with the idempotency
        /// level NO_SIDE_EFFECTS.
        package let hasSideEffects: Bool
        /// The serialized `MethodOptions`; several count as one message in pieces.
        package let options: [ArraySlice<UInt8>]
    }

    package struct Service: Sendable {
        package let fullName: String
        package let methods: [Method]

        package func method(named name: String) -> Method? { methods.first { $0.name == name } }
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
    /// The extensions of each message by number.
    package private(set) var extensions: [String: [Int: Field]] = [:]
    /// Names of the files that declare extensions, by extended message and number.
    package private(set) var extensionFiles: [String: [Int: String]] = [:]
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
        for entry in read.extensions {
            extensions[entry.extendee, default: [:]][entry.field.number] = entry.field
            extensionFiles[entry.extendee, default: [:]][entry.field.number] = read.file.name
        }
        for symbol in read.file.symbols { fileBySymbol[symbol] = read.file.name }
        files[read.file.name] = read.file
    }

    private func knownFile(named name: String) -> File? {
        files[name] ?? Self.wellKnown.files[name]
    }

    /// Adds the files of another schema. Of two versions of a file, the result has the declarations
    /// of both; what they declare differently stays as it is here.
    ///
    /// - Returns: the differences, as sentences.
    package mutating func unite(_ other: Schema) -> [String] {
        var conflicts: [String] = []
        for (name, file) in other.files.sorted(by: { $0.key < $1.key }) {
            do throws(MessageError) {
                guard let known = files[name] else {
                    add(file, of: other)
                    continue
                }
                guard known.bytes != file.bytes else { continue }
                var union = DescriptorUnion()
                guard let united = try union.files(known.bytes, file.bytes) else {
                    conflicts.append(
                        "two files are named '\(name)', of packages '\(known.package)' and "
                            + "'\(file.package)'")
                    continue
                }
                conflicts += union.conflicts
                files[name] = nil
                try add(file: united)
            } catch {
                conflicts.append("the versions of '\(name)' cannot be united: \(error)")
            }
        }
        return conflicts
    }

    /// Adds a file with the declarations that another schema has read.
    private mutating func add(_ file: File, of other: Schema) {
        for symbol in file.symbols {
            if let message = other.messages[symbol] { messages[symbol] = message }
            if let type = other.enumerations[symbol] { enumerations[symbol] = type }
            if let service = other.services[symbol] { services[symbol] = service }
            fileBySymbol[symbol] = file.name
        }
        for (type, numbers) in other.extensionFiles {
            for (number, name) in numbers where name == file.name {
                extensions[type, default: [:]][number] = other.extensions[type]?[number]
                extensionFiles[type, default: [:]][number] = name
            }
        }
        files[file.name] = file
    }

    /// The imports of files that this schema lacks, as `FILE imports IMPORT`.
    package var missingImports: [String] {
        files.values.flatMap { file in
            file.dependencies.filter { files[$0] == nil }.map {
                "'\(file.name)' imports '\($0)'"
            }
        }.sorted()
    }

    /// A file and its transitive imports, imports first, as serialized `FileDescriptorProto`s.
    package func closure(of fileName: String) -> [[UInt8]] {
        var seen: Set = [fileName]
        var result: [[UInt8]] = []
        // Not recursive, because a chain of imports can be as long as the set.
        var open = knownFile(named: fileName).map { [(file: $0, visited: 0)] } ?? []
        while let (file, visited) = open.last {
            guard visited < file.dependencies.count else {
                result.append(file.bytes)
                open.removeLast()
                continue
            }
            open[open.count - 1].visited += 1
            let name = file.dependencies[visited]
            if seen.insert(name).inserted, let imported = knownFile(named: name) {
                open.append((imported, 0))
            }
        }
        return result
    }
}

extension Array {
    /// Whether a search is as fast as a dictionary.
    fileprivate var isFew: Bool { count <= 12 }

    /// The index of the first element of each key.
    fileprivate func positions<Key: Hashable>(by key: (Element) -> Key) -> [Key: Int] {
        Dictionary(enumerated().map { (key($1), $0) }, uniquingKeysWith: { first, _ in first })
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
