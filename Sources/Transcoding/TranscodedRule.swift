package import GRPCWire
package import Messages

/// A binding of a method whose names are resolved in the schema of one backend.
package struct TranscodedRule: Sendable {
    /// The message that a body or a response passes through unchanged.
    static let httpBody = "google.api.HttpBody"

    enum Body: Sendable {
        case none
        case whole
        case field(Schema.Field)
    }

    package let path: MethodPath
    package let rule: HTTPRule
    package let method: Schema.Method
    /// The fields of each variable of the template.
    let variables: [[Schema.Field]]
    let body: Body
    let responseBody: Schema.Field?

    /// An error states which name does not exist or cannot be used.
    package init(
        _ rule: HTTPRule, _ path: MethodPath, _ method: Schema.Method, in schema: Schema
    ) throws(MessageError) {
        self.rule = rule
        self.path = path
        self.method = method
        guard let input = schema.message(named: method.input) else {
            throw MessageError("unknown message type '\(method.input)'")
        }
        guard let output = schema.message(named: method.output) else {
            throw MessageError("unknown message type '\(method.output)'")
        }
        switch rule.body {
        case .none: body = .none
        case .whole: body = .whole
        case .field(let name): body = .field(try Self.field(name, of: input, "body"))
        }
        responseBody = try rule.responseBody.map { (name) throws(MessageError) in
            try Self.field(name, of: output, "response_body")
        }
        var variables: [[Schema.Field]] = []
        for variable in rule.template.variables {
            let fields = try schema.fields(at: variable.field, in: method.input)
            if fields.last?.isRepeated == true {
                throw MessageError(
                    "the variable '\(variable.field.joined(separator: "."))' is repeated")
            }
            variables.append(fields)
        }
        self.variables = variables
        guard isRawRequest else { return }
        let bodyNumber = bodyField?.number
        guard !variables.contains(where: { bodyNumber == nil || $0.first?.number == bodyNumber })
        else { throw MessageError("a variable is part of the body, which is an HttpBody") }
    }

    private static func field(
        _ name: String, of message: Schema.Message, _ what: String
    ) throws(MessageError) -> Schema.Field {
        if let field = message.field(named: name) { return field }
        throw MessageError("\(what) '\(name.prefix(100))' is not a field of \(message.fullName)")
    }

    var bodyField: Schema.Field? { if case .field(let field) = body { field } else { nil } }

    /// Whether the request body is passed through unchanged.
    package var isRawRequest: Bool {
        switch body {
        case .none: false
        case .whole: method.input == Self.httpBody
        case .field(let field): field.isHTTPBody
        }
    }

    /// Whether the response body is passed through unchanged.
    package var isRawResponse: Bool {
        responseBody?.isHTTPBody ?? (method.output == Self.httpBody)
    }
}

extension Schema.Field {
    var isHTTPBody: Bool {
        kind == .message && !isRepeated && typeName == TranscodedRule.httpBody
    }
}
