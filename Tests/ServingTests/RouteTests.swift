internal import GRPCWire
internal import Serving
internal import Testing
internal import TrafficPolicy

@Suite struct RouteTests {
    @Test(
        "A route is a method, a service, a plain path, or empty",
        arguments: [
            ("/pkg.Service/Method", Route.method(.init(service: "pkg.Service", method: "Method"))),
            ("/pkg.Service/", .service("pkg.Service")),
            ("/S/m", .method(.init(service: "S", method: "m"))),
            ("/a", .path("/a")), ("/", .path("/")), ("/a/b/c", .path("/a/b/c")),
            ("/a/b/", .path("/a/b/")), ("", .nameOnly),
        ])
    func parses(text: String, route: Route) {
        #expect(Route(text) == route && route.description == text)
    }

    @Test(
        "Any other text is an invalid route",
        arguments: [
            "//", "pkg.Service/Method", "a", "/a//", "//a", "/a//b", "/a b/c", "/a/b?c", "/a#b",
            "/ü/",
        ])
    func rejects(text: String) {
        #expect(Route(text) == nil)
    }

    private func snapshot(_ routes: [String]) throws -> RoutingSnapshot {
        let endpoints = try routes.enumerated().map { index, text in
            RoutingSnapshot.Endpoint(
                name: text.isEmpty ? "none-\(index)" : text, route: try #require(Route(text)),
                revision: 1,
                policy: EndpointPolicy(
                    endpoint: text, map: AffinityMap(owner: "x"), shadows: []), shadows: .none)
        }
        return RoutingSnapshot(revision: 1, endpoints: endpoints, backends: .init([:]))
    }

    @Test(
        "Plain HTTP matches the whole path, or else the longest prefix that ends with a slash",
        arguments: [
            ("/a", "/a"), ("/a/", nil), ("/b", nil), ("/b/", "/b/"), ("/b/x", "/b/"),
            ("/b/x/", "/b/"), ("/b/c/y/z", "/b/c/"), ("/b/c", "/b/"), ("/u/m", "/u/m"),
            ("/u/n", nil),
            ("/p.S/m", nil), ("/p.T/m", nil), ("", nil), ("/", nil), ("x", nil),
        ] as [(String, String?)])
    func findsHTTP(path: String, route: String?) throws {
        let snapshot = try snapshot([
            "/a", "/b/", "/b/c/", "/u/m", "/p.S/", "/p.T/m", "", "",
        ])
        #expect(snapshot.endpoint(forPlainHTTP: path[...])?.name == route)
    }

    @Test("The route / matches every path that no other route matches")
    func matchesAllPaths() throws {
        let snapshot = try snapshot(["/", "/a"])
        #expect(snapshot.endpoint(forPlainHTTP: "/x/y")?.name == "/")
        #expect(snapshot.endpoint(forPlainHTTP: "/")?.name == "/")
        #expect(snapshot.endpoint(forPlainHTTP: "/a")?.name == "/a")
        #expect(snapshot.endpoint(named: "/a") != nil && snapshot.endpoint(named: "b") == nil)
    }

    @Test("The route of a method takes precedence over that of its service")
    func longestMatchWins() throws {
        let snapshot = try snapshot(["/a.S/", "/a.S/Special", "/b.S/Only", "/plain"])
        let find = { snapshot.endpoint(for: MethodPath(service: $0, method: $1))?.name }
        #expect(find("a.S", "Special") == "/a.S/Special")
        #expect(find("a.S", "Other") == "/a.S/")
        #expect(find("b.S", "Only") == "/b.S/Only")
        #expect(find("b.S", "Other") == nil)
        #expect(find("a", "S") == nil)
    }
}
