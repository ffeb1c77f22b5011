internal import GRPCWire
internal import Testing
internal import TrafficPolicy

@testable internal import ControlPlane

@Suite struct ControlStateTests {
    private static let registered: Set<String> = ["v1", "v2", "v3"]

    private func state() throws -> ControlState {
        var state = ControlState()
        for name in ["v1", "v2", "v3"] {
            _ = try state.createBackend(
                .init(name: name, kind: .handler(name)), registered: Self.registered)
        }
        _ = try state.createEndpoint("e", route: "/p.S/", backend: "v1")
        return state
    }

    /// Checks that a change is rejected with a code, and changes nothing.
    private func expectError(
        _ code: StatusCode, _ text: String,
        _ change: (inout ControlState) throws(ControlError) -> Void
    ) throws {
        var state = try state()
        do throws(ControlError) {
            try change(&state)
            Issue.record("not refused: \(text)")
        } catch {
            #expect(error.code == code)
            #expect(error.message.contains(text), "\(error.message)")
        }
        let before = try self.state()
        #expect(state.endpoints.keys == before.endpoints.keys)
        #expect(state.backends.keys == before.backends.keys)
        #expect(state.endpoints["e"]?.map == before.endpoints["e"]?.map)
        #expect(state.endpoints["e"]?.shadows == before.endpoints["e"]?.shadows)
    }

    @Test("Invalid names, routes and references are rejected and change nothing")
    func rejectsInvalidCreation() throws {
        try expectError(.invalidArgument, "invalid name") { (state) throws(ControlError) in
            _ = try state.createEndpoint("a b", route: "/x.Y/", backend: "v1")
        }
        try expectError(.invalidArgument, "invalid name") { (state) throws(ControlError) in
            _ = try state.createBackend(
                .init(name: "", kind: .handler("v1")), registered: Self.registered)
        }
        try expectError(.invalidArgument, "invalid route") { (state) throws(ControlError) in
            _ = try state.createEndpoint("f", route: "x.Y", backend: "v1")
        }
        try expectError(.alreadyExists, "endpoint 'e' already exists") {
            (state) throws(ControlError) in
            _ = try state.createEndpoint("e", route: "/x.Y/", backend: "v1")
        }
        try expectError(.alreadyExists, "of endpoint 'e'") { (state) throws(ControlError) in
            _ = try state.createEndpoint("f", route: "/p.S/", backend: "v1")
        }
        try expectError(.notFound, "no backend 'v9'; there are: v1, v2, v3") {
            (state) throws(ControlError) in
            _ = try state.createEndpoint("f", route: "/x.Y/", backend: "v9")
        }
        try expectError(.alreadyExists, "backend 'v1' already exists") {
            (state) throws(ControlError) in
            _ = try state.createBackend(
                .init(name: "v1", kind: .handler("v1")), registered: Self.registered)
        }
        try expectError(.notFound, "no handler 'v9'") { (state) throws(ControlError) in
            _ = try state.createBackend(
                .init(name: "new", kind: .handler("v9")), registered: Self.registered)
        }
    }

    @Test(
        "Invalid weights are rejected",
        arguments: [
            ([], "no weights:"), ([("v1", 0.5)], "sum to 0.5"),
            ([("v1", 1.1), ("v2", -0.1)], "must not be negative"),
            ([("v1", .nan)], "finite"), ([("v1", .infinity)], "finite"),
            ([("v1", 0.5), ("v1", 0.5)], "duplicate"), ([("v1", 0.99999)], "sum to 0.99999"),
        ] as [([(backend: String, weight: Double)], String)])
    func rejectsInvalidWeights(weights: [(backend: String, weight: Double)], text: String) throws {
        try expectError(.invalidArgument, text) { (state) throws(ControlError) in
            _ = try state.setTraffic("e", weights)
        }
    }

    @Test("Unknown endpoints and backends, and invalid proportions, are rejected")
    func rejectsInvalidTraffic() throws {
        try expectError(.notFound, "no endpoint 'f'") { (state) throws(ControlError) in
            _ = try state.setTraffic("f", [("v1", 1)])
        }
        try expectError(.notFound, "no backend 'v9'") { (state) throws(ControlError) in
            _ = try state.setTraffic("e", [("v1", 1), ("v9", 0)])
        }
        for proportion in [-0.1, 1.1, .nan, .infinity] {
            try expectError(.invalidArgument, "proportion") { (state) throws(ControlError) in
                _ = try state.setShadow("e", backend: "v2", proportion: proportion)
            }
        }
        try expectError(.failedPrecondition, "in use by: e") { (state) throws(ControlError) in
            try state.deleteBackend("v1")
        }
    }

    @Test("A backend of weight 0 is not part of the policy and may be deleted")
    func dropsZeroWeights() throws {
        var state = try state()
        _ = try state.setTraffic("e", [("v1", 0.5), ("v2", 0.5)])
        _ = try state.setTraffic("e", [("v1", 0), ("v2", 1)])
        try state.deleteBackend("v1")
        #expect(state.backends["v1"] == nil)
    }

    @Test(
        "SetTraffic does not change shadows; proportion 0 removes one, and is accepted without one")
    func keepsShadows() throws {
        var state = try state()
        _ = try state.setShadow("e", backend: "v3", proportion: 0.5)
        _ = try state.setTraffic("e", [("v2", 1)])
        #expect(state.endpoints["e"]?.shadows == [.init(backend: "v3", proportion: 0.5)])
        _ = try state.setShadow("e", backend: "v2", proportion: 0)
        _ = try state.setShadow("e", backend: "v3", proportion: 0)
        #expect(state.endpoints["e"]?.shadows == [])
    }

    @Test("Earlier weights restore the earlier map")
    func restoresMaps() throws {
        var state = try state()
        _ = try state.setTraffic("e", [("v1", 0.9), ("v2", 0.1)])
        let before = state.endpoints["e"]?.map.intervals
        let there = try state.setTraffic("e", [("v1", 0.8), ("v2", 0.2)])
        #expect(abs(there.movedShare - 0.1) < 1e-12)
        _ = try state.setTraffic("e", [("v1", 0.9), ("v2", 0.1)])
        #expect(state.endpoints["e"]?.map.intervals == before)
    }

    @Test("The total size of all descriptor sets is limited")
    func limitsDescriptorSets() throws {
        var state = ControlState()
        func put(_ name: String, _ bytes: Int) throws(ControlError) {
            var backend = ControlState.Backend(
                name: name, kind: .upstream([], nil))
            backend.descriptorSet = [UInt8](repeating: 0, count: bytes)
            _ =
                state.backends[name] == nil
                ? try state.createBackend(backend, registered: [])
                : try state.updateBackend(backend, registered: [])
        }
        try put("a", 40 << 20)
        try put("b", 8 << 20)
        try put("c", 0)
        let error = #expect(throws: ControlError.self) { try put("c", 1) }
        #expect(error?.code == .invalidArgument)
        #expect(
            error?.message.contains("all descriptor sets together have at most 50331648 bytes")
                == true)
        // The previous descriptor set of a backend does not count.
        try put("a", (40 << 20) - 1)
        try put("c", 1)
        #expect(state.backends.count == 3)
    }
}
