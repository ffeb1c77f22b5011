package import Messages

/// Converts the messages of a call's response to the body of an HTTP response.
package struct ReplyConversion {
    /// The content of a `google.api.HttpBody`.
    package struct Raw: Equatable {
        /// Empty if the message has none.
        package let contentType: String
        package let data: ArraySlice<UInt8>
    }

    private let rule: TranscodedRule
    private let transcoder: JSONTranscoder

    package init(_ rule: TranscodedRule, _ schema: Schema) {
        self.rule = rule
        transcoder = JSONTranscoder(schema: schema, printsDefaults: true)
    }

    /// The JSON of a response message, or of its field `response_body`.
    package func json(of message: [UInt8]) throws(MessageError) -> JSONValue {
        let json = try transcoder.json(from: message, message: rule.method.output)
        guard let field = rule.responseBody else { return json }
        guard case .object(let members) = json,
            let value = members.first(where: { $0.key == field.jsonName })?.value
        else { return .null }
        return value
    }

    /// The content of a response that is passed through unchanged.
    package func raw(of message: [UInt8]) throws(MessageError) -> Raw {
        var body = message[...]
        if let field = rule.responseBody {
            let pieces = try ParsedFields(body).messages(field.number)
            body = pieces.count == 1 ? pieces[0] : pieces.flatMap(\.self)[...]
        }
        let fields = try ParsedFields(body)
        let type = fields.text(1)
        // The value becomes a header field, which must not contain a line break.
        guard type.utf8.count <= Self.maxContentTypeBytes,
            type.utf8.allSatisfy({ (0x21...0x7e).contains($0) || $0 == 0x20 }),
            type.isEmpty || type.contains(where: { $0 != " " })
        else {
            throw MessageError(
                "google.api.HttpBody.content_type: it must be at most "
                    + "\(Self.maxContentTypeBytes) bytes of printable ASCII")
        }
        return Raw(contentType: type, data: fields.messages(2).last ?? [])
    }

    private static let maxContentTypeBytes = 256
}
