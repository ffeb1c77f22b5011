internal import GRPCWire
internal import Observability
internal import Testing
internal import TrafficPolicy

@testable internal import Serving

@Suite struct LoopMetricsTests {
    private let names = MethodNames(maxPerEndpoint: 3, maxInAll: 5)

    private func key(_ endpoint: String, _ backend: String, _ method: String) -> CallKey {
        CallKey(endpoint: endpoint, backend: backend, method: method, isShadow: false)
    }

    private func target(_ method: String, _ unknown: UnknownMethod?, _ metrics: LoopMetrics)
        -> Target
    {
        Target(
            key("e", "b", method), isNamed: false, unknownMethod: unknown, metrics)
    }

    @Test("An endpoint, and all endpoints together, have a bounded number of named methods")
    func limitsNames() {
        #expect((0..<9).count { names.admit("/a.A/\($0)", of: "a") } == 3)
        #expect((0..<9).count { names.admit("/b.B/\($0)", of: "b") } == 2)
        #expect(!names.admit("/c.C/0", of: "c"))
        // An admitted method remains named.
        #expect(names.admit("/a.A/0", of: "a"))
        names.removeEndpoints(unless: { $0 != "a" })
        #expect(names.admit("/c.C/0", of: "c"))
    }

    @Test(
        "A method with a long or unprintable name is not named",
        arguments: [(250, true), (251, false), (15_000, false)])
    func limitsNameLength(count: Int, isNamed: Bool) {
        #expect(names.admit("/a.A/\(String(repeating: "x", count: count + 1))", of: "a") == isNamed)
        for name in ["/a.A/é", "/a.A/\u{202e}", "/a.A/ ", "/a.A/\u{7f}"] {
            #expect(!names.admit(name, of: "a"))
        }
    }

    @Test("All loops share the bound")
    func sharesLimit() {
        let loops = [LoopMetrics(names), LoopMetrics(names)]
        for (index, loop) in loops.enumerated() {
            for method in 0..<2 { _ = loop.noteAnswered("/a.A/\(index)\(method)", of: "a") }
        }
        #expect(loops[0].isNamed("/a.A/01", of: "a"))
        #expect(loops[1].isNamed("/a.A/10", of: "a"))
        #expect(!loops[1].isNamed("/a.A/11", of: "a"))
        // A method that another loop has named does not use another slot.
        #expect(loops[1].noteAnswered("/a.A/00", of: "a"))
    }

    @Test("A call of an unknown method is counted as other, in flight and at its end")
    func countsUnknownMethods() {
        let metrics = LoopMetrics(names)
        let unknown = UnknownMethod("/e.E/Made", of: "e", metrics)
        let target = target("/e.E/Made", unknown, metrics)
        let count = target.began()
        #expect(metrics.figures[key("e", "b", "other")]?.inFlight == 1)
        target.ended(count, .unimplemented, nanoseconds: 1)
        #expect(Set(metrics.figures.keys.map(\.method)) == ["other"])
        #expect(metrics.figures[key("e", "b", "other")]?.inFlight == 0)
        #expect(metrics.figures[key("e", "b", "other")]?.started == 1)
    }

    @Test("After a backend has answered, calls of the method are counted under its name")
    func namesAnsweredMethods() {
        let metrics = LoopMetrics(names)
        let unknown = UnknownMethod("/e.E/Real", of: "e", metrics)
        let target = target("/e.E/Real", unknown, metrics)
        let (first, second) = (target.began(), target.began())
        first?.method.answered()
        target.ended(first, .ok, nanoseconds: 1)
        // The second began before the method was known, the third did not.
        let third = target.began()
        #expect(second != nil && third == nil)
        target.ended(second, .deadlineExceeded, nanoseconds: 1)
        target.ended(third, .ok, nanoseconds: 1)
        let real = metrics.figures[key("e", "b", "/e.E/Real")]
        #expect(real?.started == 3)
        #expect(real?.inFlight == 0)
        #expect(real?.finished.map(\.latency.count).reduce(0, +) == 3)
        let other = metrics.figures[key("e", "b", "other")]
        #expect(other?.started == 0 && other?.inFlight == 0)
    }

    @Test("Series end with their endpoint, and with their backend")
    func endsSeries() {
        let metrics = LoopMetrics(names)
        for backend in ["kept", "gone"] { _ = metrics.series(of: key("e", backend, "/e.E/M")) }
        _ = metrics.series(of: key("ended", "kept", "/x.X/M"))
        _ = metrics.series(of: key("", "weir", "/own/Method"))
        #expect(metrics.noteAnswered("/x.X/M", of: "ended"))
        metrics.removeSeries(missingFrom: snapshot(backends: ["kept"]), backendsChanged: true)
        #expect(Set(metrics.figures.keys.map(\.backend)) == ["kept", "weir"])
        #expect(!metrics.figures.keys.contains { $0.endpoint == "ended" })
        #expect(!metrics.isNamed("/x.X/M", of: "ended"))
    }

    @Test("The figures of deleted endpoints and backends are kept, up to a bound")
    func keepsRemoved() {
        let metrics = LoopMetrics(names)
        for method in ["/e.E/M", "/e.E/N"] {
            metrics.series(of: key("e", "gone", method)).figures.started = 3
        }
        metrics.series(of: key("e", "gone", "/e.E/M")).figures.inFlight = 1
        metrics.removeSeries(missingFrom: snapshot(backends: ["kept"]), backendsChanged: true)
        let removed = metrics.removed[key("e", "gone", "")]
        #expect(removed?.started == 6 && removed?.inFlight == 0)
        // A new backend of the name counts from zero; when it is deleted, its figures are added.
        metrics.series(of: key("e", "gone", "/e.E/M")).figures.started = 1
        #expect(metrics.figures[key("e", "gone", "/e.E/M")]?.started == 1)
        metrics.removeSeries(missingFrom: snapshot(backends: ["kept"]), backendsChanged: true)
        #expect(metrics.removed[key("e", "gone", "")]?.started == 7)
        for number in 0...LoopMetrics.maxRemoved {
            metrics.series(of: key("other\(number)", "b", "/e.E/M")).figures.started = 1
        }
        metrics.removeSeries(missingFrom: snapshot(backends: ["kept"]), backendsChanged: true)
        #expect(metrics.removed.count == LoopMetrics.maxRemoved)
    }

    @Test(
        "A call that ends after its endpoint or backend does not create a series",
        arguments: ["gone", "e"])
    func createsNoLateSeries(endpoint: String) {
        let metrics = LoopMetrics(names)
        let unknown = UnknownMethod("/e.E/M", of: endpoint, metrics)
        let backend = endpoint == "e" ? "gone" : "kept"
        let target = Target(
            key(endpoint, backend, "/e.E/M"), isNamed: false, unknownMethod: unknown, metrics)
        let count = target.began()
        metrics.removeSeries(missingFrom: snapshot(backends: ["kept"]), backendsChanged: true)
        unknown.answered()
        target.ended(count, .ok, nanoseconds: 1)
        #expect(metrics.figures.isEmpty)
        #expect(!metrics.isNamed("/e.E/M", of: "gone"))
    }

    @Test("A call that begins after its endpoint or backend has ended does not create a series")
    func createsNoSeriesAfterTheEnd() {
        let metrics = LoopMetrics(names)
        let unknown = UnknownMethod("/e.E/M", of: "e", metrics)
        let target = Target(
            key("e", "gone", "/e.E/M"), isNamed: false, unknownMethod: unknown, metrics)
        unknown.answered()
        metrics.removeSeries(missingFrom: snapshot(backends: ["kept"]), backendsChanged: true)
        // A copy for a shadow can begin after the call.
        let count = target.began()
        target.ended(count, .ok, nanoseconds: 1)
        #expect(count == nil && metrics.figures.isEmpty)
    }

    private func snapshot(backends: [String]) -> RoutingSnapshot {
        RoutingSnapshot(
            revision: 1,
            endpoints: [
                .init(
                    name: "e", route: .service("e.E"), revision: 1,
                    policy: EndpointPolicy(
                        endpoint: "e", map: AffinityMap(owner: "kept"), shadows: []),
                    shadows: .none)
            ],
            backends: .init(
                Dictionary(
                    uniqueKeysWithValues: backends.map {
                        ($0, .handler(HandlerBackend($0, services: [])))
                    })))
    }
}
