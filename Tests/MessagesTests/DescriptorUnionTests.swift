internal import Messages
internal import Testing

/// Two versions of one file in one schema.
@Suite struct DescriptorUnionTests {
    /// Fields of `descriptor.proto` by number; texts, numbers and nested messages.
    private enum Part {
        case text(Int, String)
        case number(Int, UInt64)
        case message(Int, [Part])
    }

    private static func bytes(_ parts: [Part]) -> [UInt8] {
        var writer = WireWriter()
        for part in parts {
            switch part {
            case .text(let number, let text): writer.field(number, bytes: Array(text.utf8))
            case .number(let number, let value): writer.field(number, varint: value)
            case .message(let number, let parts): writer.field(number, bytes: bytes(parts))
            }
        }
        return writer.bytes
    }

    private static func field(
        _ name: String, _ number: UInt64, type: UInt64 = 5, oneof: UInt64? = nil,
        isOptional: Bool = false
    ) -> Part {
        var parts: [Part] = [
            .text(1, name), .number(3, number), .number(4, 1), .number(5, type),
        ]
        if let oneof { parts.append(.number(9, oneof)) }
        if isOptional { parts.append(.number(17, 1)) }
        return .message(2, parts)
    }

    private static func method(_ name: String, output: String = "M") -> Part {
        .message(2, [.text(1, name), .text(2, ".p.M"), .text(3, ".p.\(output)")])
    }

    private static func schema(_ parts: [Part], package: String = "p") throws -> Schema {
        var schema = Schema()
        let file: [Part] = [.text(1, "f.proto"), .text(2, package), .text(12, "proto3")]
        try schema.add(file: bytes(file + parts))
        return schema
    }

    private static func message(_ name: String, _ parts: [Part]) -> Part {
        .message(4, [.text(1, name)] + parts)
    }

    private static func enumeration(_ values: [(String, UInt64)]) -> Part {
        .message(
            5,
            [.text(1, "E")] + values.map { .message(2, [.text(1, $0.0), .number(2, $0.1)]) })
    }

    @Test("The union has the declarations of both versions")
    func unites() throws {
        var schema = try Self.schema([
            Self.message("M", [Self.field("a", 1), Self.field("b", 2)]),
            Self.enumeration([("ZERO", 0)]),
            .message(6, [.text(1, "S"), Self.method("One")]),
        ])
        let other = try Self.schema([
            Self.message("M", [Self.field("a", 1), Self.field("c", 3)]), Self.message("N", []),
            Self.enumeration([("ZERO", 0), ("ONE", 1)]),
            .message(6, [.text(1, "S"), Self.method("One"), Self.method("Two")]),
            .message(6, [.text(1, "T")]),
        ])
        #expect(schema.unite(other) == [])
        #expect(schema.messages["p.M"]?.fields.map(\.name) == ["a", "b", "c"])
        #expect(schema.messages["p.N"] != nil)
        #expect(schema.enumerations["p.E"]?.values.map(\.name) == ["ZERO", "ONE"])
        #expect(schema.services["p.S"]?.methods.map(\.name) == ["One", "Two"])
        #expect(schema.services["p.T"] != nil)
        #expect(schema.closure(of: "f.proto").count == 1)
        // The union contains what it was made of.
        #expect(schema.unite(other) == [])
    }

    @Test("What both declare differently is a conflict, and the first counts")
    func findsConflicts() throws {
        var schema = try Self.schema([
            Self.message("M", [Self.field("a", 1), Self.field("b", 2)]),
            Self.enumeration([("ZERO", 0), ("ONE", 1)]),
            .message(6, [.text(1, "S"), Self.method("One")]),
        ])
        let other = try Self.schema([
            Self.message("M", [Self.field("a", 1, type: 9), Self.field("b", 7)]),
            Self.message("N", []), Self.enumeration([("ZERO", 0), ("ONE", 2), ("UNO", 1)]),
            .message(6, [.text(1, "S"), Self.method("One", output: "N")]),
        ])
        #expect(
            schema.unite(other) == [
                "field 1 of p.M is 'a' and 'a' of different types",
                "field p.M.b has two numbers", "p.E.ONE has two numbers", "p.E has two names for 1",
                "method p.S.One has two signatures",
            ])
        #expect(schema.messages["p.M"]?.field(1)?.kind == .int32)
        #expect(schema.messages["p.M"]?.fields.count == 2)
        #expect(schema.enumerations["p.E"]?.values.count == 2)
    }

    @Test("Files of one name and different packages are a conflict")
    func rejectsOtherPackages() throws {
        var schema = try Self.schema([Self.message("M", [])])
        let conflicts = schema.unite(try Self.schema([Self.message("M", [])], package: "q"))
        #expect(conflicts.count == 1 && conflicts[0].contains("'f.proto', of packages 'p' and 'q'"))
    }

    @Test("Fields stay in their oneofs, and those of optional fields are last")
    func unitesOneofs() throws {
        var schema = try Self.schema([
            Self.message(
                "M",
                [
                    Self.field("a", 1, oneof: 0), Self.field("o", 2, oneof: 1, isOptional: true),
                    .message(8, [.text(1, "first")]), .message(8, [.text(1, "_o")]),
                ])
        ])
        let other = try Self.schema([
            Self.message(
                "M",
                [
                    Self.field("b", 3, oneof: 0), Self.field("c", 4, oneof: 1),
                    .message(8, [.text(1, "second")]), .message(8, [.text(1, "first")]),
                ])
        ])
        #expect(schema.unite(other) == [])
        let message = try #require(schema.messages["p.M"])
        #expect(message.oneofs == ["first", "second", "_o"])
        func oneof(_ number: Int) -> String? {
            message.field(number)?.oneof.map { message.oneofs[$0] }
        }
        #expect([1, 3, 4].map(oneof) == ["first", "second", "first"])
        #expect(message.field(2)?.isOptional == true)
    }

    @Test("Missing imports are named")
    func namesMissingImports() throws {
        let schema = try Self.schema([
            .text(3, "google/protobuf/timestamp.proto"), .text(3, "x/y.proto"),
        ])
        #expect(
            schema.missingImports == [
                "'f.proto' imports 'google/protobuf/timestamp.proto'",
                "'f.proto' imports 'x/y.proto'",
            ])
        // The closure has files with well-known types nevertheless.
        #expect(schema.closure(of: "f.proto").count == 2)
    }
}
