internal import GRPCWire
internal import Messages
internal import Observability
internal import TestSupport
internal import Testing
internal import Transport

@testable internal import Serving

@Suite struct ServingLoopTests {
    @Test("The figures of a loop are those of its connections, router and calls")
    func counts() throws {
        let loop = TestLoop()
        let serving = loop.servingLoop
        #expect(serving.eventLoop === loop.embedded.eventLoop)
        let service = Service("p.S").unary("M") { (request: RawMessage, _) in request }
        loop.install(routes: ["/p.S/"], HandlerBackend("b", services: [service]))
        let client = try TestClient(loop)
        #expect(try client.call("/p.S/M", [1])[.grpcStatus] == "0")
        #expect(try client.call("/other/M", [1])[.grpcStatus] == "12")
        let figures = serving.figures
        #expect(figures.connections == 1 && figures.unrouted == 1 && figures.bufferedBytes == 0)
        let key = CallKey(endpoint: "/p.S/", backend: "b", method: "/p.S/M", isShadow: false)
        #expect(figures.calls[key]?.started == 1 && figures.calls[key]?.inFlight == 0)
        #expect(figures.refused.isEmpty && figures.shadows.isEmpty && figures.pools.isEmpty)
    }

    @Test("Closing a loop closes its connections and removes its endpoints")
    func closes() throws {
        let loop = TestLoop()
        loop.install(routes: ["/p.S/"])
        let client = try TestClient(loop)
        #expect(try client.call("/p.S/M", [1])[.grpcStatus] == "14")
        loop.servingLoop.closeAll()
        loop.embedded.run()
        #expect(!client.isConnected)
        #expect(loop.router.snapshot === RoutingSnapshot.empty)
        #expect(loop.servingLoop.figures.connections == 0)
    }
}
