package import GRPCWire
package import Messages

/// The bindings of the methods of one schema.
package struct TranscodingTable: Sendable {
    /// The bindings by method.
    package let rules: [MethodPath: [TranscodedRule]]
    /// Invalid bindings and conflicts, as sentences, sorted. Such bindings are not in the table.
    package let problems: [String]

    package init(_ schema: Schema) {
        var rules: [MethodPath: [TranscodedRule]] = [:]
        var known = RouteTree<TranscodedRule>()
        var problems: [String] = []
        for service in schema.services.values.sorted(by: { $0.fullName < $1.fullName }) {
            for method in service.methods {
                let path = MethodPath(service: service.fullName, method: method.name)
                do throws(MessageError) {
                    for rule in try HTTPRule.all(in: method.options) {
                        let resolved = try Self.resolved(rule, path, method, schema)
                        if let other = known.insert(rule.method, rule.template, resolved) {
                            problems.append(Self.conflict(other.value, resolved))
                        } else {
                            rules[path, default: []].append(resolved)
                        }
                    }
                } catch {
                    problems.append(
                        "invalid google.api.http of \(path.description.quoted): \(error)")
                }
            }
        }
        self.rules = rules
        self.problems = problems
    }

    private static func resolved(
        _ rule: HTTPRule, _ path: MethodPath, _ method: Schema.Method, _ schema: Schema
    ) throws(MessageError) -> TranscodedRule {
        do throws(MessageError) {
            return try TranscodedRule(rule, path, method, in: schema)
        } catch {
            throw MessageError("\(rule): \(error)")
        }
    }

    /// A sentence about two bindings that match the same requests.
    private static func conflict(_ one: TranscodedRule, _ other: TranscodedRule) -> String {
        "'\(one.rule)' of \(one.path) and '\(other.rule)' of \(other.path) match the same requests"
    }

    package var isEmpty: Bool { rules.isEmpty }
}

/// The bindings of one method in the schema of one backend, by which the requests and responses of
/// that backend are converted.
package struct MethodBindings: Sendable {
    package let schema: Schema
    private var tree = RouteTree<TranscodedRule>()

    /// Omits invalid bindings.
    package init(of path: MethodPath, _ schema: Schema) {
        self.schema = schema
        let method = schema.services[path.service]?.methods.first { $0.name == path.method }
        guard let method, let rules = try? HTTPRule.all(in: method.options) else { return }
        for rule in rules {
            guard let resolved = try? TranscodedRule(rule, path, method, in: schema) else {
                continue
            }
            tree.insert(rule.method, rule.template, resolved)
        }
    }

    /// The binding for a request; nil without one.
    package func rule(_ httpMethod: String, _ path: RequestPath) -> TranscodedRule? {
        if case .found(let entry) = tree.match(httpMethod, path) { entry.value } else { nil }
    }
}
