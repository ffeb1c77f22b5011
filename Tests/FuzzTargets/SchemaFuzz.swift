internal import Messages

/// Messages with arbitrary descriptors.
enum SchemaFuzz {
    /// The first two bytes are the size of the descriptor set; a message follows it. For each type,
    /// a message that decodes can be encoded and compared.
    static func feed(_ bytes: [UInt8]) {
        let size = bytes.prefix(2).reduce(0) { $0 << 8 | Int($1) }
        let rest = bytes.dropFirst(2)
        guard let schema = try? Schema(descriptorSet: Array(rest.prefix(size))) else { return }
        let message = Array(rest.dropFirst(size))
        for file in schema.files.keys { precondition(!schema.closure(of: file).isEmpty) }
        for transcoder in [
            JSONTranscoder(schema: schema), JSONTranscoder(schema: schema, printsDefaults: true),
            JSONTranscoder(schema: schema, keepsNames: true, describesInvalid: true),
        ] {
            for type in schema.messages.values {
                precondition(
                    type.fields.allSatisfy {
                        (1...Schema.Field.maximumNumber).contains($0.number)
                            && $0.oneof.map(type.oneofs.indices.contains) != false
                    })
                check(message, type.fullName, transcoder, schema)
            }
        }
    }

    private static func check(
        _ bytes: [UInt8], _ name: String, _ transcoder: JSONTranscoder, _ schema: Schema
    ) {
        guard let json = try? transcoder.json(from: bytes, message: name) else { return }
        _ = json.text(indent: 2)
        if let written = try? transcoder.bytes(from: json, message: name) {
            precondition((try? transcoder.json(from: written, message: name)) != nil)
        }
        var diff = MessageDiff(schema: schema)
        let half = bytes.count / 2
        try? diff.compare(bytes, Array(bytes[..<half]), message: name)
        try? diff.compare(Array(bytes[half...]), bytes, message: name)
        _ = diff.differences.map { $0.left + $0.right }
    }

    /// The first twelve bytes are seconds and nanoseconds, and the whole input is a text. Numbers
    /// and text must convert into each other.
    static func convertTimes(_ bytes: [UInt8]) {
        func integer(_ bytes: ArraySlice<UInt8>) -> Int64 {
            Int64(bitPattern: bytes.reduce(0) { $0 << 8 | UInt64($1) })
        }
        let seconds = integer(bytes.prefix(8))
        let nanos = Int32(truncatingIfNeeded: integer(bytes.dropFirst(8).prefix(4)))
        let time = Google_Protobuf_Timestamp(seconds: seconds, nanos: nanos)
        if let text = time.text { precondition(Google_Protobuf_Timestamp(text: text) == time) }
        precondition((time.text != nil) == time.isValid)
        let span = Google_Protobuf_Duration(seconds: seconds, nanos: nanos)
        if let text = span.text { precondition(Google_Protobuf_Duration(text: text) == span) }
        precondition((span.text != nil) == span.isValid)

        let text = String(decoding: bytes, as: UTF8.self)
        if let time = Google_Protobuf_Timestamp(text: text) {
            precondition(time.text.flatMap { Google_Protobuf_Timestamp(text: $0) } == time)
        }
        if let span = Google_Protobuf_Duration(text: text) {
            precondition(span.text.flatMap { Google_Protobuf_Duration(text: $0) } == span)
        }
    }
}
