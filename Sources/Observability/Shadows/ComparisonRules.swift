internal import GRPCWire
package import Messages

/// The rules by which two responses are compared.
package struct ComparisonRules: Sendable {
    package var diff: DiffRules
    /// The descriptions of the messages.
    package var schema: Schema
    /// The types of responses by method path, for methods that the schema lacks.
    package var replyTypes: [String: String]
    /// The fields whose values are not stored, by path.
    package var redactedFields: Set<String>
    /// The metadata whose values are not stored, besides the ones that are never stored.
    package var redactedMetadata: Set<String>

    package init(
        diff: DiffRules = .init(), schema: Schema = .init(), replyTypes: [String: String] = [:],
        redactedFields: [String] = [], redactedMetadata: [String] = []
    ) {
        self.diff = diff
        self.schema = schema
        self.replyTypes = replyTypes
        self.redactedFields = Set(redactedFields.map(DiffRules.normalized))
        self.redactedMetadata = Set(redactedMetadata.map { $0.lowercased() })
    }

    /// The full name of a method's response type, if it is known.
    func replyType(of method: String) -> String? {
        let type =
            replyTypes[method]
            ?? MethodPath(method).flatMap { path in
                schema.services[path.service]?.methods.first { $0.name == path.method }?.output
            }
        return type.flatMap { schema.message(named: $0) == nil ? nil : $0 }
    }

    /// Whether a field, or a message that contains it, is redacted.
    func hides(_ path: String) -> Bool {
        !redactedFields.isEmpty
            && DiffRules.innermost(path) { redactedFields.contains($0) ? true : nil } == true
    }
}
