internal import Testing

@testable internal import Transcoding

@Suite struct RouteTreeTests {
    private static func tree(_ templates: [String]) throws -> RouteTree<String> {
        var tree = RouteTree<String>()
        for text in templates {
            let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
            tree.insert(parts[0], try PathTemplate(parts[1]), text)
        }
        return tree
    }

    private static let tree: RouteTree<String>? = try? tree([
        "GET /", "GET /v1/books", "POST /v1/books", "GET /v1/books/{id}", "GET /v1/books/new",
        "DELETE /v1/books/{id}", "POST /v1/books/{id}:move", "POST /v1/books:clear",
        "GET /v1/{name=shelves/*/books/*}", "GET /v1/{name=files/**}",
        "GET /v1/{name=files/**}:read",
        "* /v1/any/{x}", "POST /a/b/{x}", "GET /a/{x}/c", "GET /v2/a%2Fb", "LIST /v1/books",
    ])

    @Test(
        "A request matches the most specific template of its method",
        arguments: [
            ("GET", "/", "GET /"), ("HEAD", "/", "GET /"), ("GET", "/v1/books", "GET /v1/books"),
            ("POST", "/v1/books", "POST /v1/books"), ("LIST", "/v1/books", "LIST /v1/books"),
            ("GET", "/v1/books/new", "GET /v1/books/new"),
            ("GET", "/v1/books/7", "GET /v1/books/{id}"),
            ("GET", "/v1/b%6Foks/7", "GET /v1/books/{id}"),
            // `new` has only GET.
            ("DELETE", "/v1/books/new", "DELETE /v1/books/{id}"),
            ("POST", "/v1/books/7:move", "POST /v1/books/{id}:move"),
            ("POST", "/v1/books:clear", "POST /v1/books:clear"),
            // The text after the colon is not a verb of GET.
            ("GET", "/v1/books/7:move", "GET /v1/books/{id}"),
            ("GET", "/v1/books/7:x", "GET /v1/books/{id}"),
            ("GET", "/v1/books/7:", "GET /v1/books/{id}"),
            ("GET", "/v1/shelves/1/books/2", "GET /v1/{name=shelves/*/books/*}"),
            ("GET", "/v1/files", "GET /v1/{name=files/**}"),
            ("GET", "/v1/files/", "GET /v1/{name=files/**}"),
            ("GET", "/v1/files/a//b", "GET /v1/{name=files/**}"),
            ("GET", "/v1/files/a/b:read", "GET /v1/{name=files/**}:read"),
            ("GET", "/v1/files/a:b/c", "GET /v1/{name=files/**}"),
            ("PURGE", "/v1/any/1", "* /v1/any/{x}"), ("POST", "/a/b/c", "POST /a/b/{x}"),
            // The branch of `b` has only POST.
            ("GET", "/a/b/c", "GET /a/{x}/c"), ("GET", "/v2/a%2Fb", "GET /v2/a%2Fb"),
        ])
    func matches(method: String, path: String, expected: String) throws {
        let tree = try #require(Self.tree)
        guard case .found(let entry) = tree.match(method, try #require(RequestPath(path))) else {
            Issue.record("no match of \(method) \(path)")
            return
        }
        #expect(entry.value == expected)
    }

    @Test(
        "A path of another method names the methods; others do not match",
        arguments: [
            ("PUT", "/v1/books", "GET LIST POST"), ("PUT", "/v1/books/7", "DELETE GET"),
            ("GET", "/v1/books:clear", "POST"), ("POST", "/", "GET"), ("GET", "/v1/books/", ""),
            ("GET", "/v1/books//", ""), ("GET", "/v1", ""), ("GET", "/v1/shelves//books/2", ""),
            ("GET", "/v1/Books", ""), ("GET", "/v2/a/b", ""), ("GET", "//", ""),
            ("GET", "/v1/any/1/2", ""),
        ])
    func others(method: String, path: String, methods: String) throws {
        let tree = try #require(Self.tree)
        switch tree.match(method, try #require(RequestPath(path))) {
        case .found(let entry): Issue.record("matches \(entry.value)")
        case .otherMethods(let others): #expect(others.joined(separator: " ") == methods)
        case .none: #expect(methods == "")
        }
    }

    @Test("A template of the same shape and method is a conflict")
    func conflict() throws {
        var tree = try Self.tree(["GET /v1/{a}", "GET /v1/{a=x/**}:v"])
        #expect(tree.insert("GET", try PathTemplate("/v1/{b=*}"), "other")?.value == "GET /v1/{a}")
        #expect(tree.insert("GET", try PathTemplate("/v1/x/{c=**}:v"), "") != nil)
        #expect(tree.insert("GET", try PathTemplate("/v1/x/{c=**}"), "") == nil)
        #expect(tree.insert("PUT", try PathTemplate("/v1/{a}"), "") == nil)
        #expect(tree.count == 4)
    }

    @Test(
        "A path without a slash, with an invalid escape or too many segments is invalid",
        arguments: ["", "v1", "*", "/%", "/%4", "/%zz", "/a/%g0"])
    func invalid(path: String) { #expect(RequestPath(path) == nil) }

    @Test("The number of segments of a path is bounded")
    func bound() {
        let most = String(repeating: "/a", count: RequestPath.maximumSegments)
        #expect(RequestPath(most) != nil)
        #expect(RequestPath(most + "/a") == nil)
    }

    @Test(
        "A variable of one segment is decoded; one of more segments keeps %2F",
        arguments: [
            ("/v1/{a}", "/v1/x%2Fy%20z", ["x/y z"]), ("/v1/{a}:v", "/v1/x%3A:v", ["x:"]),
            ("/v1/{a}:v", "/v1/x:y:v", ["x:y"]), ("/v1/{a=x/*}", "/v1/x/y%2Fz%20", ["x/y%2Fz "]),
            ("/v1/{a=**}", "/v1/x/y%2fz%252F", ["x/y%2fz%2F"]), ("/v1/{a=**}", "/v1", [""]),
            ("/v1/{a=**}", "/v1/", [""]), ("/v1/{a=**}", "/v1/x/", ["x/"]),
            ("/v1/{a=x/**}:v", "/v1/x/y/z:v", ["x/y/z"]), ("/v1/{a=x/**}:v", "/v1/x:v", ["x"]),
            ("/v1/{a}/b/{c=**}", "/v1/1/b/2/3", ["1", "2/3"]), ("/v1/{a=b}", "/v1/b", ["b"]),
            ("/v1/{a}", "/v1/+", ["+"]), ("/v1/{a}", "/v1/%C3%A9", ["é"]),
            ("/v1/{a}", "/v1/%ff", [nil]),
        ] as [(String, String, [String?])])
    func variables(template: String, path: String, expected: [String?]) throws {
        let template = try PathTemplate(template)
        let path = try #require(RequestPath(path))
        var tree = RouteTree<Void>()
        tree.insert("GET", template, ())
        guard case .found = tree.match("GET", path) else {
            Issue.record("no match")
            return
        }
        #expect(template.variables.map { path.text(of: $0, in: template) } == expected)
    }

    @Test("A search visits each node of the tree at most once")
    func linear() throws {
        var tree = RouteTree<Int>()
        // Each segment is a literal or `*`: 2^10 templates, none of which matches.
        for bits in 0..<1_024 {
            let path = (0..<10).map { bits >> $0 & 1 == 0 ? "/a" : "/*" }.joined()
            tree.insert("GET", try PathTemplate(path + "/end"), bits)
        }
        let path = try #require(RequestPath(String(repeating: "/a", count: 10) + "/other"))
        let start = ContinuousClock.now
        for _ in 0..<10 {
            guard case .none = tree.match("GET", path) else {
                Issue.record("matches")
                return
            }
        }
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    @Test(
        "A route conflicts with a template that matches its paths, unless its prefix is shorter",
        arguments: [
            ("/v1/books", "/v1/books", true), ("/v1/{id}", "/v1/books", true),
            ("/v1/{id}", "/v1/books/x", false), ("/{x=**}", "/v1/books", true),
            ("/v1/books:clear", "/v1/books:clear", true), ("/v1/books/{id}", "/v1/", false),
            ("/v1/books/{id}", "/v1/books/", true), ("/v1/{id}", "/v1/", true),
            ("/v1", "/v1/", false),
            ("/v1/**", "/v1/", true), ("/{x}", "/", true), ("/v1/{x}", "/", false),
            ("/", "/", true),
            ("/{x=**}", "/v1/", true), ("/{x}", "/v1/", false), ("/{x}/{y}", "/v1/", true),
            ("/v2/{x}", "/v1/", false),
        ])
    func overlap(template: String, route: String, isConflict: Bool) throws {
        #expect(RouteOverlap.isConflict(try PathTemplate(template), route: route) == isConflict)
    }
}
