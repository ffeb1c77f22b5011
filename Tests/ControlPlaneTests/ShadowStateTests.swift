internal import GRPCWire
internal import Messages
internal import Testing

@testable internal import ControlPlane
@testable internal import Serving

@Suite struct ShadowStateTests {
    private static let registered: Set<String> = ["v1", "v2"]

    private func state() throws -> ControlState {
        var state = ControlState()
        for name in Self.registered.sorted() {
            _ = try state.createBackend(
                .init(name: name, kind: .handler(name)), registered: Self.registered)
        }
        _ = try state.createEndpoint("e", route: "/p.S/", backend: "v1")
        return state
    }

    @Test("A shadow keeps its options when only its proportion changes")
    func keepsShadowOptions() throws {
        var state = try state()
        var options = ControlState.Shadow.Options()
        options.limits.maxRequestsInFlight = 7
        options.includesOwn = true
        _ = try state.setShadow("e", backend: "v2", proportion: 0.5, options: options)
        let changed = try state.setShadow("e", backend: "v2", proportion: 1)
        #expect(changed.shadows.map(\.options) == [options])
        let reset = try state.setShadow("e", backend: "v2", proportion: 1, options: .init())
        #expect(reset.shadows.map(\.options) == [.init()])
        // A removed shadow loses its options.
        _ = try state.setShadow("e", backend: "v2", proportion: 0)
        let again = try state.setShadow("e", backend: "v2", proportion: 1)
        #expect(again.shadows.map(\.options) == [.init()])
    }

    @Test("An endpoint has shadows up to the limit, and each change is a revision")
    func limitsShadows() throws {
        var state = try state()
        let names = (0...ControlState.maxShadows).map { "s\($0)" }
        for name in names {
            _ = try state.createBackend(
                .init(name: name, kind: .handler("v1")), registered: Self.registered)
        }
        for name in names.dropLast() {
            _ = try state.setShadow("e", backend: name, proportion: 0.1)
        }
        do throws(ControlError) {
            _ = try state.setShadow("e", backend: names.last ?? "", proportion: 0.1)
            Issue.record("not refused")
        } catch {
            #expect(error.code == .invalidArgument)
            #expect(error.message == "backend: an endpoint has at most 32 shadows")
        }
        // An existing shadow can still be changed.
        let changed = try state.setShadow("e", backend: "s0", proportion: 1)
        #expect(changed.shadows.count == ControlState.maxShadows)
        #expect(changed.revision == state.revision + 1)
    }

    @Test("The comparison of an endpoint is replaced as a whole")
    func replacesComparison() throws {
        var state = try state()
        var comparison = ControlState.Comparison()
        comparison.ignoredFields = ["a.b"]
        comparison.tolerances = ["c": .init(absolute: 1, relative: 0)]
        #expect(try state.setComparison("e", comparison).comparison == comparison)
        #expect(try state.setTraffic("e", [("v2", 1)]).endpoint.comparison == comparison)
        #expect(try state.setComparison("e", .init()).comparison == .init())
        #expect(throws: ControlError.self) { try state.setComparison("nothing", .init()) }
    }
}
