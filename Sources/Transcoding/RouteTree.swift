/// Values by HTTP method and path template. A literal precedes `*`, and `*` precedes `**`.
///
/// ```
///   /v1/books/{id}, /v1/books/{id}:read, /v1/{name=**}
///
///   root -- v1 --+-- books -- * : "", "read"
///                +-- ** : ""
/// ```
package struct RouteTree<Value: Sendable>: Sendable {
    /// The method that stands for all others.
    package static var anyMethod: String { "*" }

    package struct Entry: Sendable {
        package let template: PathTemplate
        package let value: Value
    }

    /// The result of a search.
    package enum Match {
        case found(Entry)
        /// The path matches templates of other methods.
        case otherMethods([String])
        case none
    }

    private struct Node {
        var literals: [[UInt8]: Int] = [:]
        var one: Int?
        var rest: Int?
        /// By verb and method. Empty for a node inside the tree.
        var entries: [String: [String: Entry]] = [:]
    }

    private var nodes = [Node()]

    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }

    /// Adds a value.
    ///
    /// - Returns: the entry of the same method and shape, which remains; nil if there was none.
    @discardableResult
    package mutating func insert(
        _ method: String, _ template: PathTemplate, _ value: Value
    ) -> Entry? {
        var node = 0
        for segment in template.segments {
            let next =
                switch segment {
                case .literal(let bytes): nodes[node].literals[bytes]
                case .one: nodes[node].one
                case .rest: nodes[node].rest
                }
            if let next {
                node = next
                continue
            }
            let new = nodes.count
            nodes.append(Node())
            switch segment {
            case .literal(let bytes): nodes[node].literals[bytes] = new
            case .one: nodes[node].one = new
            case .rest: nodes[node].rest = new
            }
            node = new
        }
        if let known = nodes[node].entries[template.verb]?[method] { return known }
        nodes[node].entries[template.verb, default: [:]][method] = Entry(
            template: template, value: value)
        count += 1
        return nil
    }

    /// Searches the value for a request. HEAD is also GET (RFC 9110 section 9.3.2).
    package func match(_ method: String, _ path: RequestPath) -> Match {
        var search = Search(nodes: nodes, method: method)
        // A text after a colon is first a verb, then a part of the segment.
        if let (last, verb) = path.beforeVerb, !verb.isEmpty {
            search.segments = path.decoded.dropLast() + [last]
            search.verb = verb
            if let entry = search.find(0, 0) { return .found(entry) }
        }
        search.segments = path.decoded
        search.verb = ""
        if let entry = search.find(0, 0) { return .found(entry) }
        return search.methods.isEmpty ? .none : .otherMethods(search.methods.sorted())
    }

    /// A search with backtracking. It visits each node at most once, because a node has one depth.
    private struct Search {
        let nodes: [Node]
        let method: String
        var segments: [[UInt8]] = []
        var verb = ""
        /// The methods of templates that match the path.
        var methods: Set<String> = []

        /// The depth is at most that of the tree: a template's segments.
        mutating func find(_ node: Int, _ depth: Int) -> Entry? {
            let current = nodes[node]
            if depth == segments.count {
                if let entry = entry(of: current) { return entry }
            } else {
                let segment = segments[depth]
                if let next = current.literals[segment], let entry = find(next, depth + 1) {
                    return entry
                }
                if !segment.isEmpty, let next = current.one, let entry = find(next, depth + 1) {
                    return entry
                }
            }
            return current.rest.flatMap { entry(of: nodes[$0]) }
        }

        private mutating func entry(of node: Node) -> Entry? {
            guard let entries = node.entries[verb] else { return nil }
            if let entry = entries[method] ?? entries[anyMethod] { return entry }
            if method == "HEAD", let entry = entries["GET"] { return entry }
            methods.formUnion(entries.keys)
            return nil
        }
    }
}
