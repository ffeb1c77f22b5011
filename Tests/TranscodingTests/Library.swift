internal import GRPCWire
internal import Messages

@testable internal import Transcoding

/// A file with messages of all kinds of fields, and a service with given bindings.
enum Library {
    static let service = "library.Library"

    /// A rule of `google.api.http`.
    static func rule(
        _ method: String, _ path: String, body: String = "", response: String = "",
        more: [[UInt8]] = []
    ) -> [UInt8] {
        let patterns = ["GET": 2, "PUT": 3, "POST": 4, "DELETE": 5, "PATCH": 6]
        var writer = WireWriter()
        if let number = patterns[method] {
            writer.field(number, bytes: Array(path.utf8))
        } else {
            var custom = WireWriter()
            custom.field(1, bytes: Array(method.utf8))
            custom.field(2, bytes: Array(path.utf8))
            writer.field(8, bytes: custom.bytes)
        }
        if !body.isEmpty { writer.field(7, bytes: Array(body.utf8)) }
        if !response.isEmpty { writer.field(12, bytes: Array(response.utf8)) }
        for rule in more { writer.field(11, bytes: rule) }
        return writer.bytes
    }

    struct Method {
        var name = "Do"
        var input = "Book"
        var output = "Book"
        var clientStreams = false
        var serverStreams = false
        var rule: [UInt8]?

        fileprivate var bytes: [UInt8] {
            var writer = WireWriter()
            writer.field(1, bytes: Array(name.utf8))
            writer.field(2, bytes: Array(Library.fullName(input).utf8))
            writer.field(3, bytes: Array(Library.fullName(output).utf8))
            if let rule {
                var options = WireWriter()
                options.field(72_295_728, bytes: rule)
                writer.field(4, bytes: options.bytes)
            }
            if clientStreams { writer.field(5, varint: 1) }
            if serverStreams { writer.field(6, varint: 1) }
            return writer.bytes
        }
    }

    fileprivate static func fullName(_ type: String) -> String {
        type.contains(".") ? ".\(type)" : ".library.\(type)"
    }

    private static func field(
        _ name: String, _ number: Int, _ type: String, isRepeated: Bool = false, oneof: Int? = nil,
        isOptional: Bool = false
    ) -> [UInt8] {
        let numbers = [
            "double": 1, "int64": 3, "int32": 5, "bool": 8, "string": 9, "bytes": 12, "uint32": 13,
        ]
        var writer = WireWriter()
        writer.field(1, bytes: Array(name.utf8))
        writer.field(3, varint: UInt64(number))
        writer.field(4, varint: isRepeated ? 3 : 1)
        writer.field(5, varint: UInt64(numbers[type] ?? (type == "Genre" ? 14 : 11)))
        if numbers[type] == nil { writer.field(6, bytes: Array(fullName(type).utf8)) }
        if let oneof { writer.field(9, varint: UInt64(oneof)) }
        if isOptional { writer.field(17, varint: 1) }
        return writer.bytes
    }

    private static func message(
        _ name: String, _ fields: [[UInt8]], nested: [[UInt8]] = [], oneofs: [String] = [],
        isMapEntry: Bool = false
    ) -> [UInt8] {
        var writer = WireWriter()
        writer.field(1, bytes: Array(name.utf8))
        for field in fields { writer.field(2, bytes: field) }
        for message in nested { writer.field(3, bytes: message) }
        for oneof in oneofs {
            var declaration = WireWriter()
            declaration.field(1, bytes: Array(oneof.utf8))
            writer.field(8, bytes: declaration.bytes)
        }
        if isMapEntry { writer.field(7, bytes: [0x38, 1]) }
        return writer.bytes
    }

    private static func file(
        _ name: String, package: String, messages: [[UInt8]], _ more: (inout WireWriter) -> Void
    ) -> [UInt8] {
        var writer = WireWriter()
        writer.field(1, bytes: Array(name.utf8))
        writer.field(2, bytes: Array(package.utf8))
        for message in messages { writer.field(4, bytes: message) }
        more(&writer)
        writer.field(12, bytes: Array("proto3".utf8))
        return writer.bytes
    }

    private static let book = message(
        "Book",
        [
            field("name", 1, "string"), field("title", 2, "string"), field("author", 3, "Author"),
            field("tags", 4, "string", isRepeated: true), field("genre", 5, "Genre"),
            field("published_at", 6, "google.protobuf.Timestamp"), field("rare", 7, "bool"),
            field("id", 8, "int64"), field("price", 9, "double"), field("cover", 10, "bytes"),
            field("editors", 11, "Author", isRepeated: true),
            field("labels", 12, "library.Book.LabelsEntry", isRepeated: true),
            field("shelf", 13, "string", oneof: 0), field("box", 14, "int32", oneof: 0),
            field("note", 15, "google.protobuf.StringValue"),
            field("extra", 16, "google.protobuf.Value"),
            field("pages", 17, "int32", isRepeated: true),
            field("mask", 18, "google.protobuf.FieldMask"), field("count", 19, "uint32"),
            field("subtitle", 20, "string", oneof: 1, isOptional: true),
            field("lent", 21, "google.protobuf.BoolValue"),
            field("loan", 22, "google.protobuf.Duration"), field("sequel", 23, "Book"),
        ],
        nested: [
            message(
                "LabelsEntry", [field("key", 1, "string"), field("value", 2, "string")],
                isMapEntry: true)
        ], oneofs: ["place", "_subtitle"])

    static func schema(_ methods: [Method] = []) throws -> Schema {
        var schema = Schema()
        let body = message(
            "HttpBody", [field("content_type", 1, "string"), field("data", 2, "bytes")])
        try schema.add(
            file: file("httpbody.proto", package: "google.api", messages: [body]) { _ in })
        let update = message(
            "Update",
            [
                field("book", 1, "Book"), field("update_mask", 2, "google.protobuf.FieldMask"),
                field("validate_only", 3, "bool"),
            ])
        let upload = message(
            "Upload", [field("name", 1, "string"), field("file", 2, "google.api.HttpBody")])
        let author = message("Author", [field("name", 1, "string"), field("born", 2, "int64")])
        let types = [book, author, update, upload]
        let bytes = file("library.proto", package: "library", messages: types) { writer in
            var genre = WireWriter()
            genre.field(1, bytes: Array("Genre".utf8))
            for (number, name) in ["UNKNOWN", "NOVEL", "POEM"].enumerated() {
                var value = WireWriter()
                value.field(1, bytes: Array(name.utf8))
                value.field(2, varint: UInt64(number))
                genre.field(2, bytes: value.bytes)
            }
            writer.field(5, bytes: genre.bytes)
            var service = WireWriter()
            service.field(1, bytes: Array("Library".utf8))
            for method in methods { service.field(2, bytes: method.bytes) }
            writer.field(6, bytes: service.bytes)
        }
        try schema.add(file: bytes)
        return schema
    }

    /// The only binding of one method.
    static func transcoded(_ method: Method) throws -> (TranscodedRule, Schema) {
        let schema = try schema([method])
        let table = TranscodingTable(schema)
        guard table.problems.isEmpty, let rule = table.rules.values.first?.first else {
            throw MessageError(table.problems.joined(separator: "; "))
        }
        return (rule, schema)
    }
}
