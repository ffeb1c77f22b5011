package import GRPCWire
package import Messages

/// A failed call as JSON: `google.rpc.Status`.
package enum StatusJSON {
    /// - Parameters:
    ///   - details: `grpc-status-details-bin`, a serialized `google.rpc.Status`; nil without one.
    ///   - schema: the types of the details. The value of an unknown type is base64.
    package static func json(
        _ code: StatusCode, _ message: String, details: [UInt8]? = nil, schema: Schema = Schema()
    ) -> JSONValue {
        let transcoder = JSONTranscoder(schema: schema, describesInvalid: true)
        var list: [JSONValue] = []
        if let details, let fields = try? ParsedFields(details[...]) {
            for any in fields.messages(3) {
                let json = try? transcoder.json(
                    from: Array(any), message: "google.protobuf.Any")
                if let json { list.append(json) }
            }
        }
        return .object([
            ("code", .integer(Int64(code.rawValue))), ("message", .string(message)),
            ("details", .array(list)),
        ])
    }

    /// The last message of a stream that fails after its first message.
    package static func last(_ status: JSONValue) -> JSONValue { .object([("error", status)]) }
}
