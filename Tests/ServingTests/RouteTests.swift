internal import Serving
internal import Testing
internal import TrafficPolicy

@Suite struct RouteTests {
    @Test(
        "A route is a method or a service",
        arguments: [
            ("/pkg.Service/Method", "/pkg.Service/Method"), ("/pkg.Service/", "/pkg.Service/"),
            ("/S/m", "/S/m"),
        ])
    func parses(text: String, description: String) {
        #expect(Route(text)?.description == description)
    }

    @Test(
        "Anything else is no route",
        arguments: [
            "", "/", "//", "pkg.Service/Method", "/a/b/c", "/a", "/a//", "/a b/c", "/a/b?c", "/ü/",
        ])
    func refuses(text: String) {
        #expect(Route(text) == nil)
    }

    @Test("The route for the method wins over the one for its service")
    func longestMatchWins() throws {
        let endpoints = try ["/a.S/", "/a.S/Special", "/b.S/Only"].map { text in
            RoutingSnapshot.Endpoint(
                name: text, route: try #require(Route(text)), revision: 1,
                policy: EndpointPolicy(
                    endpoint: text, map: AffinityMap(owner: "x"), shadows: []), shadows: .none)
        }
        let snapshot = RoutingSnapshot(revision: 1, endpoints: endpoints, backends: .init([:]))
        let find = { snapshot.endpoint(for: MethodPath(service: $0, method: $1))?.name }
        #expect(find("a.S", "Special") == "/a.S/Special")
        #expect(find("a.S", "Other") == "/a.S/")
        #expect(find("b.S", "Only") == "/b.S/Only")
        #expect(find("b.S", "Other") == nil)
        #expect(find("a", "S") == nil)
    }
}
