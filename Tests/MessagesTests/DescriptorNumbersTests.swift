internal import Messages
internal import Testing

/// Invalid and extreme numbers in descriptor sets.
@Suite struct DescriptorNumbersTests {
    /// Varints at the bounds of every relevant range.
    static let boundaries: [UInt64] = [
        0, 1, 2, 3, 4, 9, 10, 11, 18, 19, 127, 128, 18_999, 19_000, 19_999, 20_000,
        (1 << 29) - 1, 1 << 29, (1 << 31) - 1, 1 << 31, (1 << 31) + 1, (1 << 32) - 1, 1 << 32,
        (1 << 32) + 1, 1 << 53, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, .max - 1, .max,
    ]

    /// The position of a number in a descriptor.
    enum Place: CaseIterable {
        case number, type, label, oneofIndex, enumValue, extensionNumber, extensionType,
            nestedNumber, mapEntryFlag, streamsFlag

        /// Whether a set with such a number is accepted.
        func allows(_ bits: UInt64) -> Bool {
            let value = Int32(truncatingIfNeeded: bits)
            return switch self {
            case .number, .nestedNumber:
                (1...536_870_911).contains(value) && !(19_000...19_999).contains(value)
            case .type, .extensionType: (1...18).contains(value)
            case .label: (1...3).contains(value)
            case .oneofIndex: (0...1).contains(value)
            case .extensionNumber: value > 0
            case .enumValue, .mapEntryFlag, .streamsFlag: true
            }
        }

        /// The name of the number in errors.
        var name: String {
            switch self {
            case .number, .nestedNumber, .extensionNumber: "number"
            case .type, .extensionType: "type"
            case .oneofIndex: "oneof_index"
            default: "\(self)"
            }
        }
    }

    private static func message(_ fields: [(Int, [UInt8])]) -> [UInt8] {
        var writer = WireWriter()
        for (number, bytes) in fields { writer.field(number, bytes: bytes) }
        return writer.bytes
    }

    private static func numbers(_ name: String, _ fields: [(Int, UInt64)]) -> [UInt8] {
        var writer = WireWriter()
        writer.field(1, bytes: Array(name.utf8))
        for (number, value) in fields { writer.field(number, varint: value) }
        return writer.bytes
    }

    /// A set of one file with one unusual number.
    private static func set(_ place: Place, _ value: UInt64) -> [UInt8] {
        func at(_ wanted: Place, _ usual: UInt64) -> UInt64 { place == wanted ? value : usual }
        let field = numbers(
            "a",
            [
                (3, at(.number, 1)), (4, at(.label, 1)), (5, at(.type, 5)),
                (9, at(.oneofIndex, 1)),
            ])
        let nestedField = numbers("b", [(3, at(.nestedNumber, 1)), (5, 5)])
        let added = numbers("c", [(3, at(.extensionNumber, 7)), (5, at(.extensionType, 5))])
        let name = Array("M".utf8)
        let oneofs = ["x", "y"].map { (8, numbers($0, [])) }
        var options = WireWriter()
        options.field(7, varint: at(.mapEntryFlag, 0))
        let nested = message([(1, Array("N".utf8)), (2, nestedField), (7, options.bytes)])
        let enumeration = message([
            (1, Array("E".utf8)), (2, numbers("ONE", [(2, at(.enumValue, 1))])),
        ])
        let method = numbers("Call", [(5, at(.streamsFlag, 0)), (6, at(.streamsFlag, 0))])
        let file = message([
            (1, Array("n.proto".utf8)), (2, Array("n".utf8)),
            (4, message([(1, name), (2, field), (3, nested), (6, added)] + oneofs)),
            (5, enumeration), (6, message([(1, Array("S".utf8)), (2, method)])),
            (7, added),
        ])
        return message([(1, file)])
    }

    @Test(
        "A number outside its range is rejected with an error that names it and its position",
        arguments: Place.allCases)
    func checksNumbers(place: Place) throws {
        for value in Self.boundaries {
            let set = Self.set(place, value)
            do throws(MessageError) {
                let schema = try Schema(descriptorSet: set)
                #expect(place.allows(value), "\(place) \(value) was accepted")
                Self.use(schema)
            } catch {
                #expect(!place.allows(value), "\(place) \(value): \(error)")
                let shown = "its \(place.name) is \(Int32(truncatingIfNeeded: value)); "
                for part in ["file 'n.proto', message 'n.M", "', field '", shown] {
                    #expect(error.description.contains(part), "\(place) \(value): \(error)")
                }
            }
        }
    }

    /// Uses a schema with unrelated messages.
    private static func use(_ schema: Schema) {
        let messages: [[UInt8]] = [[], [8, 1], [10, 2, 8, 1], [13, 0, 0, 0, 0], [0xff, 0xff]]
        for transcoder in [
            JSONTranscoder(schema: schema, printsDefaults: true), JSONTranscoder(schema: schema),
        ] {
            for name in schema.messages.keys {
                for bytes in messages {
                    guard let json = try? transcoder.json(from: bytes, message: name) else {
                        continue
                    }
                    _ = try? transcoder.bytes(from: json, message: name)
                    var diff = MessageDiff(schema: schema)
                    try? diff.compare(bytes, [8, 2], message: name)
                }
            }
        }
    }

    @Test("Numbers of enum values are 32 bits wide, negative ones too")
    func readsEnumValues() throws {
        for value in Self.boundaries {
            let schema = try Schema(descriptorSet: Self.set(.enumValue, value))
            #expect(
                schema.enumerations["n.E"]?.values.map(\.number)
                    == [Int(Int32(truncatingIfNeeded: value))])
        }
    }

    @Test(
        "Contradictory declarations are rejected with their names",
        arguments: [
            ([(3, 1), (5, 5)], "fields 'a' and 'b' both have number 1"),
            ([(3, 2)], "field 'b': it has no type"), ([(5, 5)], "field 'b': it has no number"),
            (
                [(3, 2), (5, 5), (9, 0)],
                "field 'b': its oneof_index is 0, but no oneof is declared"
            ),
        ] as [([(Int, UInt64)], String)])
    func rejectsContradictions(second: [(Int, UInt64)], reason: String) {
        let first = Self.numbers("a", [(3, 1), (5, 5)])
        let message = Self.message([
            (1, Array("M".utf8)), (2, first), (2, Self.numbers("b", second)),
        ])
        let file = Self.message([(1, Array("n.proto".utf8)), (4, message)])
        let error = #expect(throws: MessageError.self) {
            try Schema(descriptorSet: Self.message([(1, file)]))
        }
        #expect(error?.description.contains("file 'n.proto', message 'M'") == true)
        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }

    @Test("A rejected file does not change the schema")
    func addsAllOrNothing() {
        var schema = Schema()
        #expect(throws: MessageError.self) {
            try schema.add(descriptorSet: Self.set(.nestedNumber, .max))
        }
        #expect(schema.messages.isEmpty && schema.files.isEmpty && schema.enumerations.isEmpty)
    }

    @Test("Declarations may nest 99 levels deep; deeper ones are rejected without recursion")
    func limitsNesting() throws {
        func set(_ depth: Int) -> [UInt8] {
            // From the innermost level outwards, so that each level is encoded once.
            var pieces: [[UInt8]] = []
            var size = 0
            for level in 1...depth {
                var writer = WireWriter()
                writer.field(1, bytes: Array("M".utf8))
                if level > 1 {
                    writer.key(3, .bytes)
                    writer.varint(UInt64(size))
                }
                pieces.append(writer.bytes)
                size += writer.bytes.count
            }
            return Self.message([(1, Self.message([(4, pieces.reversed().flatMap(\.self))]))])
        }
        #expect(try Schema(descriptorSet: set(99)).messages.count == 99)
        for depth in [100, 200_000] {
            let error = #expect(throws: MessageError.self) {
                try Schema(descriptorSet: set(depth))
            }
            #expect(error?.description.contains("nest deeper than 100") == true)
        }
    }

    @Test("A chain of imports of any length is followed, and a cycle only once")
    func followsImports() throws {
        func file(_ name: Int, importing imported: Int) -> [UInt8] {
            Self.message([(1, Array("\(name)".utf8)), (3, Array("\(imported)".utf8))])
        }
        let count = 50_000
        var schema = Schema()
        try schema.add(
            descriptorSet: Self.message((0..<count).map { (1, file($0, importing: $0 + 1)) }))
        let closure = schema.closure(of: "0")
        #expect(closure.count == count)
        #expect(closure.first == file(count - 1, importing: count))
        try schema.add(file: file(count, importing: 0))
        #expect(schema.closure(of: "7").count == count + 1)
    }

    @Test("Long names around many declarations are rejected before they use much memory")
    func limitsNames() {
        let inner = Self.message([(1, Array("N".utf8))])
        let outer = Self.message(
            [(1, [UInt8](repeating: 0x61, count: 1 << 20))]
                + [(Int, [UInt8])](repeating: (3, inner), count: 100_000))
        let error = #expect(throws: MessageError.self) {
            try Schema(descriptorSet: Self.message([(1, Self.message([(4, outer)]))]))
        }
        #expect(error?.description.contains("names in the file") == true)
        #expect((error?.description.utf8.count ?? 0) < 2_000)
    }

    @Test("A group converts to JSON and back like a message")
    func readsGroups() throws {
        let group = Self.numbers("extra", [(3, 2), (4, 1), (5, 10)])
        var typed = group
        typed += Self.message([(6, Array(".n.M.Extra".utf8)), (10, Array("extra".utf8))])
        var number = Self.numbers("n", [(3, 3), (5, 5)])
        number += Self.message([(10, Array("n".utf8))])
        let nested = Self.message([(1, Array("Extra".utf8)), (2, number)])
        let set = Self.message([
            (
                1,
                Self.message([
                    (1, Array("n.proto".utf8)), (2, Array("n".utf8)),
                    (4, Self.message([(1, Array("M".utf8)), (2, typed), (3, nested)])),
                ])
            )
        ])
        let transcoder = JSONTranscoder(schema: try Schema(descriptorSet: set))
        let bytes: [UInt8] = [0x13, 0x18, 0x05, 0x14]
        let json = try transcoder.json(from: bytes, message: "n.M")
        #expect(json.text(indent: 0) == #"{"extra":{"n":5}}"#)
        #expect(try transcoder.bytes(from: json, message: "n.M") == bytes)
        #expect(try transcoder.json(from: [], message: "n.M").text(indent: 0) == "{}")
    }
}
