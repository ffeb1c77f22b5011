internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import Testing
internal import TrafficPolicy
internal import Transport
internal import Upstream

@testable internal import Serving

@Suite struct RouterTests {
    @Test("A path is resolved once for each snapshot")
    func resolves() throws {
        let loop = TestLoop()
        loop.install(routes: ["/a.S/", "/a.S/Special"])
        let path = Array("/a.S/M".utf8)
        let resolved = try #require(loop.router.resolve(path, on: TestLoop.port))
        #expect(resolved.policy?.endpoint == "/a.S/")
        #expect(loop.router.resolve(path, on: TestLoop.port) === resolved)
        let special = loop.router.resolve(Array("/a.S/Special".utf8), on: TestLoop.port)
        #expect(special?.policy?.endpoint == "/a.S/Special")
        loop.install(routes: ["/a.S/M"])
        #expect(loop.router.resolve(path, on: TestLoop.port)?.policy?.endpoint == "/a.S/M")
        #expect(loop.router.resolve(Array("/a.S/X".utf8), on: TestLoop.port) == nil)
    }

    @Test(
        "A path that is not a method, or that no endpoint matches, is not resolved",
        arguments: ["", "/", "/a.S", "a.S/M", "/a.S/M/x", "/b.S/M", "/a.S/\u{0}\u{0}"])
    func rejects(path: String) {
        let loop = TestLoop()
        loop.install(routes: ["/a.S/M"])
        #expect(loop.router.resolve(Array(path.utf8), on: TestLoop.port) == nil)
    }

    @Test("A port does not get a path that was resolved for another port")
    func separatesPorts() throws {
        let loop = TestLoop()
        func port(_ name: String, _ services: [Service]) -> ServedPort {
            ServedPort(
                services: HandlerBackend(name, services: services),
                plainHTTP: .function { _ in .init(emptyWithStatus: 204) })
        }
        let admin = port(
            "admin",
            [Service("weir.A").unary("Change") { (request: RawMessage, _) in request }])
        let (metrics, path) = (port("metrics", []), Array("/weir.A/Change".utf8))
        #expect(loop.router.resolve(path, on: metrics) == nil)
        let resolved = try #require(loop.router.resolve(path, on: admin))
        #expect(loop.router.resolve(path, on: admin) === resolved)
        #expect(loop.router.resolve(path, on: metrics) == nil)
        #expect(loop.router.resolve(path, on: TestLoop.port) == nil)
    }

    @Test("The destination of a backend that does not exist refuses calls")
    func refuses() throws {
        let loop = TestLoop()
        loop.install(routes: ["/a.S/M"])
        let path = try #require(
            loop.router.resolve(Array("/a.S/M".utf8), on: TestLoop.port))
        let choice = path.choose(shardKey: RawSpan(), &loop.state.context.random)
        guard case .none(let error) = choice.destination.answerer else {
            Issue.record("the backend exists")
            return
        }
        #expect(error.code == .unavailable)
        #expect(!choice.isCopied)
        #expect(
            path.mirror(
                loop.begin(TestSource(), .none(error)), choice, in: loop.router.shadows) == nil)
    }

    @Test("weir.v1.Serve/Call is resolved by the name of the endpoint")
    func resolvesServe() throws {
        let loop = TestLoop()
        loop.install(routes: ["/a"])
        let endpoint = try #require(loop.router.snapshot.endpoint(named: "/a"))
        let resolved = loop.router.resolveServe(endpoint)
        #expect(resolved.path == ServePath.bytes)
        #expect(loop.router.resolveServe(endpoint) === resolved)
        #expect(ServePath.matches("/weir.v1.Serve/Call") && !ServePath.matches("/a"))
    }
}
