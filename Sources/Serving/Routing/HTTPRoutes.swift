internal import GRPCWire
internal import Messages
package import Transcoding

/// The bindings of `google.api.http` of all endpoints: the requests of plain HTTP that are calls of
/// their methods. Immutable.
package final class HTTPRoutes: Sendable {
    /// The methods of one backend that an endpoint routes.
    package struct Source: Sendable {
        package let endpoint: String
        package let backend: String
        package let rules: [TranscodedRule]

        package init(endpoint: String, backend: String, rules: [TranscodedRule]) {
            self.endpoint = endpoint
            self.backend = backend
            self.rules = rules
        }
    }

    private struct Target: Sendable {
        let source: Source
        let rule: TranscodedRule
    }

    private let tree: RouteTree<Target>
    /// Conflicts, as sentences. Of two bindings, the first remains; a route precedes a binding.
    package let conflicts: [String]

    /// - Parameter routes: the routes of plain HTTP by endpoint.
    package init(_ sources: [Source], plain routes: [(endpoint: String, path: String)]) {
        var tree = RouteTree<Target>()
        var conflicts: [String] = []
        for source in sources {
            for rule in source.rules {
                let target = Target(source: source, rule: rule)
                let plain = routes.first {
                    RouteOverlap.isConflict(rule.rule.template, route: $0.path)
                }
                if let plain {
                    conflicts.append(
                        "\(Self.text(of: target)) and the route \(plain.path) of endpoint "
                            + "'\(plain.endpoint)' match the same requests")
                    continue
                }
                guard let other = tree.insert(rule.rule.method, rule.rule.template, target) else {
                    continue
                }
                // Two backends of one endpoint may have the same binding.
                guard other.value.rule.path != rule.path else { continue }
                conflicts.append(
                    "\(Self.text(of: other.value)) and \(Self.text(of: target)) match the same "
                        + "requests")
            }
        }
        self.tree = tree
        self.conflicts = conflicts
    }

    package static let none = HTTPRoutes([], plain: [])

    private static func text(of target: Target) -> String {
        "'\(target.rule.rule)' of \(target.rule.path) (backend '\(target.source.backend)' of "
            + "endpoint '\(target.source.endpoint)')"
    }

    package var isEmpty: Bool { tree.isEmpty }

    /// The method that a request calls.
    enum Match {
        case method(MethodPath)
        /// The path accepts only these methods of HTTP.
        case otherMethods([String])
        case none
    }

    func match(_ method: String, _ path: RequestPath) -> Match {
        switch tree.match(method, path) {
        case .found(let entry):
            // The stream may be endless, and a response to HEAD has no body.
            method == "HEAD" && entry.value.rule.method.serverStreams
                ? .otherMethods(["GET", "OPTIONS"]) : .method(entry.value.rule.path)
        case .otherMethods(let methods): .otherMethods(allowed(methods, path))
        case .none: .none
        }
    }

    /// The methods of bindings, and those that Weir answers itself.
    private func allowed(_ methods: [String], _ path: RequestPath) -> [String] {
        var allowed = Set(methods + ["OPTIONS"])
        if methods.contains("GET"), case .method = match("HEAD", path) { allowed.insert("HEAD") }
        return allowed.sorted()
    }

    /// The method behind a path that does not accept the request's method of HTTP.
    func method(_ allowed: [String], _ path: RequestPath) -> MethodPath? {
        for method in allowed {
            if case .method(let path) = match(method, path) { return path }
        }
        return nil
    }
}
