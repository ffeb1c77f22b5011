/// Whether a template and the route of an endpoint for plain HTTP match the same paths.
///
/// A template precedes a route that is a prefix, if its leading literals begin with the prefix and
/// are longer: then the longest match is clear. Otherwise, an overlap is a conflict.
package enum RouteOverlap {
    /// - Parameter route: a path; with a slash at the end, a prefix of paths.
    package static func isConflict(_ template: PathTemplate, route: String) -> Bool {
        guard route.hasSuffix("/") else {
            var tree = RouteTree<Void>()
            tree.insert(RouteTree<Void>.anyMethod, template, ())
            guard let path = RequestPath(route) else { return false }
            if case .found = tree.match("GET", path) { return true }
            return false
        }
        let prefix = route.utf8.split(separator: UInt8(ascii: "/")).map(Array.init)
        let literals = template.literalPrefix
        if literals.count > prefix.count, literals.starts(with: prefix) { return false }
        return overlaps(template, prefix: prefix)
    }

    /// Whether a path that the template matches can begin with the segments.
    private static func overlaps(_ template: PathTemplate, prefix: [[UInt8]]) -> Bool {
        for (index, expected) in prefix.enumerated() {
            guard index < template.segments.count else { return false }
            switch template.segments[index] {
            case .literal(let bytes): if bytes != expected { return false }
            case .one: continue
            case .rest: return true
            }
        }
        return prefix.isEmpty || template.segments.count > prefix.count
    }
}
