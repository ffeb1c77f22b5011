internal import GRPCWire
package import Messages

/// Converts an HTTP request to the messages of a call, by a binding of the method.
///
/// ```
///   path  /v1/shelves/7/books  --variables--+
///   query ?page.size=10        --fields-----+--> JSON --> request message
///   body  {...}                --by `body`--+
/// ```
package struct RequestBinding {
    /// The parts of an HTTP request.
    package struct Request {
        package let path: RequestPath
        /// Without the question mark.
        package let query: String
        package let contentType: String
        package let body: [UInt8]

        package init(path: RequestPath, query: String, contentType: String, body: [UInt8]) {
            self.path = path
            self.query = query
            self.contentType = contentType
            self.body = body
        }
    }

    /// Why a request cannot be converted.
    package enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        case invalid(String)
        /// The `content-type` is not that of the body.
        case unsupportedType(String)

        package var description: String {
            switch self {
            case .invalid(let reason), .unsupportedType(let reason): reason
            }
        }
    }

    private let rule: TranscodedRule
    private let schema: Schema
    /// Parameters of the query that are not fields, such as that of the shard key.
    private let otherParameters: Set<String>

    package init(_ rule: TranscodedRule, _ schema: Schema, otherParameters: Set<String> = []) {
        self.rule = rule
        self.schema = schema
        self.otherParameters = otherParameters
    }

    /// The request messages of the call: one, except for a method with a stream of requests.
    package func messages(for request: Request) throws(Failure) -> [[UInt8]] {
        let bound = BoundFields()
        try bindPath(request.path, bound)
        try bindQuery(request.query, bound)
        switch rule.body {
        case .none:
            guard Self.isEmpty(request.body) else {
                throw .invalid("\(rule.path) has no body here: use the query for its fields")
            }
            return [try encode(bound, over: nil)]
        case .whole where rule.isRawRequest: return [httpBody(of: request)]
        case .field(let field) where rule.isRawRequest:
            var writer = WireWriter()
            writer.append(try encode(bound, over: nil))
            writer.field(field.number, bytes: httpBody(of: request))
            return [writer.bytes]
        case .whole where rule.method.clientStreams:
            return try stream(request, bound)
        case .whole: return [try encode(bound, over: try json(of: request))]
        case .field(let field):
            let value = try json(of: request)
            return [try encode(bound, over: value.map { .object([(field.jsonName, $0)]) })]
        }
    }

    // MARK: Path and query

    private func bindPath(_ path: RequestPath, _ bound: BoundFields) throws(Failure) {
        let template = rule.rule.template
        for (variable, fields) in zip(template.variables, rule.variables) {
            let name = variable.field.joined(separator: ".")
            guard let text = path.text(of: variable, in: template) else {
                throw .invalid("the part of the path for field \(name) contains invalid UTF-8")
            }
            _ = bound.add(try value(text, fields, name), at: fields, variable.field)
        }
    }

    private func bindQuery(_ query: String, _ bound: BoundFields) throws(Failure) {
        guard let pairs = FormQuery.parse(query) else {
            throw .invalid("invalid query: a '%' must precede two hexadecimal digits")
        }
        let inPath = BoundFields()
        for fields in rule.variables { _ = inPath.add(.null, at: fields, fields.map(\.name)) }
        // The fields of each name, of which a repeated field has many.
        var known: [ExactText: [Schema.Field]] = [:]
        for (name, bytes) in pairs where !otherParameters.contains(name) {
            let names = name.split(separator: ".", omittingEmptySubsequences: false).map(
                String.init)
            let fields: [Schema.Field]
            if let found = known[ExactText(name)] {
                fields = found
            } else {
                fields = try self.fields(of: name, names, inPath)
                known[ExactText(name)] = fields
            }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw .invalid("query parameter \(name.quoted) contains invalid UTF-8")
            }
            guard bound.add(try value(text, fields, name), at: fields, names) else {
                throw .invalid(
                    "query parameter \(name.quoted) is given twice: the field is not repeated")
            }
        }
    }

    private func fields(
        of name: String, _ names: [String], _ inPath: BoundFields
    ) throws(Failure) -> [Schema.Field] {
        func refused(_ why: String) -> Failure { .invalid("query parameter \(name.quoted) \(why)") }
        if case .whole = rule.body {
            throw refused("is not allowed: the body contains all fields that the path does not")
        }
        let fields: [Schema.Field]
        do throws(MessageError) {
            fields = try schema.fields(at: names, in: rule.method.input)
        } catch {
            throw refused(error.reason)
        }
        if let body = rule.bodyField, fields.first?.number == body.number {
            throw refused("is not allowed: the body contains the field '\(body.name)'")
        }
        if inPath.overlaps(fields) { throw refused("is not allowed: the path contains the field") }
        return fields
    }

    private func value(
        _ text: String, _ fields: [Schema.Field], _ name: String
    ) throws(Failure) -> JSONValue {
        guard let field = fields.last else { throw .invalid("field \(name) is unknown") }
        do throws(MessageError) {
            return try schema.json(ofText: text, field)
        } catch {
            throw .invalid("field \(name.printable(limit: 100)) \(error.reason)")
        }
    }

    // MARK: Body

    /// Whether a body has no content: nothing, or an object without members, which some clients
    /// always send.
    private static func isEmpty(_ body: [UInt8]) -> Bool {
        let space = Set(" \t\r\n".utf8)
        return body.lazy.filter { !space.contains($0) }.elementsEqual("{}".utf8)
            || body.allSatisfy(space.contains)
    }

    /// The JSON of the body; nil for an empty body.
    private func json(of request: Request) throws(Failure) -> JSONValue? {
        guard !request.body.isEmpty else { return nil }
        try checkType(request.contentType)
        return try Self.parse(request.body)
    }

    private static func parse(_ bytes: [UInt8]) throws(Failure) -> JSONValue {
        do throws(MessageError) {
            return try JSONValue(parsing: bytes)
        } catch {
            throw .invalid(error.description)
        }
    }

    private func checkType(_ contentType: String) throws(Failure) {
        let type = MediaType(contentType)
        guard !contentType.isEmpty, !type.isJSON, !(type.isLines && rule.method.clientStreams)
        else { return }
        throw .unsupportedType(
            "unsupported content-type \(contentType.quoted): the body must be application/json")
    }

    /// A stream of requests: an array, or one JSON document on each line. The path binds fields of
    /// the first message.
    private func stream(_ request: Request, _ bound: BoundFields) throws(Failure) -> [[UInt8]] {
        var documents: [JSONValue] = []
        if MediaType(request.contentType).isLines {
            for line in request.body.split(separator: UInt8(ascii: "\n")) where !Self.isBlank(line)
            {
                documents.append(try Self.parse(Array(line)))
            }
        } else if let json = try json(of: request) {
            guard case .array(let elements) = json else {
                throw .invalid(
                    "the body must be an array of messages, or one message a line with "
                        + "content-type application/x-ndjson: \(rule.path) has a stream of requests"
                )
            }
            documents = elements
        }
        guard let first = documents.first else {
            return bound.isEmpty ? [] : [try encode(bound, over: nil)]
        }
        var messages = [try encode(bound, over: first)]
        let empty = BoundFields()
        for document in documents.dropFirst() {
            messages.append(try encode(empty, over: document))
        }
        return messages
    }

    private static func isBlank(_ line: ArraySlice<UInt8>) -> Bool {
        line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
    }

    private func encode(_ bound: BoundFields, over body: JSONValue?) throws(Failure) -> [UInt8] {
        guard !bound.isEmpty || body != nil else { return [] }
        let type = schema.message(named: rule.method.input)
        let json = bound.json(over: body, type, in: schema)
        do throws(MessageError) {
            return try JSONTranscoder(schema: schema).bytes(from: json, message: rule.method.input)
        } catch {
            throw .invalid(error.description)
        }
    }

    /// An HttpBody with the body.
    private func httpBody(of request: Request) -> [UInt8] {
        var writer = WireWriter()
        if !request.contentType.isEmpty { writer.field(1, bytes: request.contentType.utf8) }
        if !request.body.isEmpty { writer.field(2, bytes: request.body) }
        return writer.bytes
    }
}
