internal import Foundation
internal import GRPCWire
internal import Messages
internal import Serving
internal import TestSupport
internal import Testing
internal import TrafficPolicy

@testable internal import ControlPlane

@Suite struct ConfigurationTests {
    private static let registered: Set<String> = ["own"]

    private func configuration(
        weights: [String: Double] = ["own": 0.75, "up": 0.25], address: String = "127.0.0.1:5000"
    ) -> Weir_Admin_V1_Configuration {
        .init(
            backends: [.init(name: "up", kind: .upstream(.init(addresses: [address])))],
            endpoints: [
                .init(
                    name: "e", route: "/p.S/", weights: weights,
                    shadows: [.init(backend: "up", proportion: 0.5)])
            ])
    }

    private func begin() throws -> StateHistory {
        var history = StateHistory()
        try change(&history) { (state) throws(ControlError) in
            _ = try state.createBackend(
                .init(name: "own", kind: .handler("own")), registered: Self.registered)
        }
        return history
    }

    /// - Returns: whether the change created a revision.
    @discardableResult
    private func change(
        _ history: inout StateHistory, _ body: (inout ControlState) throws(ControlError) -> Void
    ) throws(ControlError) -> Bool {
        var next = history.current
        try body(&next)
        let delta = history.current.delta(to: next)
        guard !delta.isEmpty else { return false }
        history.append(
            .init(
                revision: history.current.nextRevision, time: .init(timeIntervalSince1970: 0),
                author: "", comment: "", summary: "", delta: delta))
        return true
    }

    @discardableResult
    private func apply(
        _ message: Weir_Admin_V1_Configuration, _ history: inout StateHistory
    ) throws -> Bool {
        let desired = try ControlState.Configuration(message)
        return try change(&history) { (state) throws(ControlError) in
            try state.replaceContent(with: desired, registered: Self.registered)
        }
    }

    @Test("A configuration becomes the state in one revision; the same one creates no other")
    func appliesConfiguration() throws {
        var history = try begin()
        #expect(try apply(configuration(), &history))
        #expect(history.current.revision == 2)
        #expect(history.current.backends.keys.sorted() == ["own", "up"])
        let endpoint = try #require(history.current.endpoints["e"])
        #expect(endpoint.weights.weights.map(\.weight) == [0.75, 0.25])
        #expect(endpoint.shadows.map(\.backend) == ["up"])
        #expect(try !apply(configuration(), &history))
        #expect(history.current.revision == 2)
    }

    @Test("An exported state changes nothing when it is applied, for any weights")
    func exportsItself() throws {
        var history = try begin()
        try apply(configuration(), &history)
        var random = SeededGenerator(state: 1)
        for _ in 0..<200 {
            let first = Double.random(in: 0.000_001...0.999_999, using: &random)
            try apply(configuration(weights: ["own": first, "up": 1.000_000_3 - first]), &history)
            let exported = try Weir_Admin_V1_Configuration(history.current, secrets: .revealed)
            #expect(try !apply(exported, &history))
        }
    }

    @Test("Objects that the configuration omits are deleted, except the server's handlers")
    func removes() throws {
        var history = try begin()
        try apply(configuration(), &history)
        try apply(.init(), &history)
        #expect(history.current.endpoints.isEmpty)
        #expect(history.current.backends.keys.sorted() == ["own"])
    }

    @Test("Changed weights move as few keys as SetTraffic, and a rollback restores the map")
    func movesFewKeys() throws {
        var history = try begin()
        try apply(configuration(), &history)
        let before = try #require(history.current.endpoints["e"]).map
        try apply(configuration(weights: ["own": 0.5, "up": 0.5]), &history)
        let after = try #require(history.current.endpoints["e"]).map
        #expect(abs(before.movedShare(to: after) - 0.25) < 1e-12)
        try apply(configuration(), &history)
        #expect(history.current.endpoints["e"]?.map.fragments == before.fragments)
    }

    @Test("Two endpoints can swap their routes")
    func swapsRoutes() throws {
        var history = try begin()
        func routes(_ first: String, _ second: String) -> Weir_Admin_V1_Configuration {
            .init(endpoints: [
                .init(name: "a", route: first, weights: ["own": 1]),
                .init(name: "b", route: second, weights: ["own": 1]),
            ])
        }
        try apply(routes("/p.A/", "/p.B/"), &history)
        try apply(routes("/p.B/", "/p.A/"), &history)
        #expect(history.current.endpoints["a"]?.route.description == "/p.B/")
    }

    @Test("Errors name the position in the configuration, and the state does not change")
    func rejects() throws {
        var wrong: [(Weir_Admin_V1_Configuration, String, StatusCode)] = []
        var message = configuration(weights: ["own": 0.5, "up": 0.6])
        wrong.append((message, "configuration.endpoints[0].weights: ", .invalidArgument))
        message = configuration(weights: ["own": 0.5, "gone": 0.5])
        wrong.append((message, "configuration.endpoints[0].weights: no backend 'gone'", .notFound))
        message = configuration(address: "nowhere")
        wrong.append(
            (message, "configuration.backends[0].upstream.addresses[0]: ", .invalidArgument))
        message = configuration()
        message.backends.append(message.backends[0])
        wrong.append((message, "configuration.backends[1].name: backend 'up'", .alreadyExists))
        message = configuration()
        message.endpoints.append(message.endpoints[0])
        wrong.append((message, "configuration.endpoints[1].name: endpoint 'e'", .alreadyExists))
        message = configuration()
        message.endpoints.append(.init(name: "f", route: "/p.S/", weights: ["own": 1]))
        wrong.append((message, "configuration.endpoints[1].route: route /p.S/", .alreadyExists))
        message = configuration()
        message.endpoints[0].route = "p.S"
        wrong.append(
            (message, "configuration.endpoints[0].route: invalid route 'p.S'", .invalidArgument))
        message = configuration()
        message.endpoints[0].name = "a b"
        wrong.append(
            (message, "configuration.endpoints[0].name: invalid name 'a b'", .invalidArgument))
        message = configuration()
        message.endpoints[0].shadows[0].proportion = 2
        wrong.append(
            (message, "configuration.endpoints[0].shadows[0].proportion: ", .invalidArgument))
        message = configuration()
        message.endpoints[0].shadows[0].options = .init(maxRequestsInFlight: 0)
        wrong.append(
            (
                message, "configuration.endpoints[0].shadows[0].options.max_requests_in_flight: ",
                .invalidArgument
            ))
        message = configuration()
        message.backends[0].kind = .handler(.init(handler: "unknown"))
        wrong.append((message, "no handler 'unknown'", .notFound))

        message = configuration()
        message.backends[0].kind = .upstream(
            .init(addresses: ["127.0.0.1:5000"], tls: .init(caFile: "/no/such/file")))
        wrong.append(
            (message, "configuration.backends[0].upstream.tls.ca_file: ", .invalidArgument))

        for (message, text, code) in wrong {
            var history = try begin()
            do {
                try apply(message, &history)
                Issue.record("not refused: \(text)")
            } catch let error as ControlError {
                #expect(error.code == code)
                #expect(error.message.contains(text), "\(error.message)")
            }
            #expect(history.current.revision == 1)
        }
    }

    @Test("A rollback restores endpoints bit for bit, and deletes later ones")
    func rollsBack() throws {
        var history = try begin()
        try apply(configuration(), &history)
        let then = history.current
        for step in 1...20 {
            let share = Double(step) / 21
            try change(&history) { (state) throws(ControlError) in
                _ = try state.setTraffic("e", [("own", share), ("up", 1 - share)])
            }
        }
        try change(&history) { (state) throws(ControlError) in
            _ = try state.setShadow("e", backend: "up", proportion: 0)
            _ = try state.createEndpoint("new", route: "/p.New/", backend: "own")
        }
        try change(&history) { (state) throws(ControlError) in
            #expect(try state.rollBack(to: then) == [])
        }
        let (restored, before) = (
            try #require(history.current.endpoints["e"]), try #require(then.endpoints["e"])
        )
        #expect(restored.isSame(as: before))
        #expect(restored.map.generation > before.map.generation)
        #expect(history.current.endpoints.keys.sorted() == ["e"])
        // The state already equals the revision.
        #expect(
            try !change(&history) { (state) throws(ControlError) in
                _ = try state.rollBack(to: then)
            })
    }

    @Test("A rollback is rejected with all reasons, and warns of changed backends")
    func rejectsRollback() throws {
        var history = try begin()
        try apply(configuration(), &history)
        let then = history.current
        try apply(configuration(address: "127.0.0.1:6000"), &history)
        try change(&history) { (state) throws(ControlError) in
            let warnings = try state.rollBack(to: then)
            #expect(warnings.count == 1)
            #expect(warnings.first?.contains("backend 'up' has changed since then") == true)
        }
        try apply(.init(), &history)
        try change(&history) { (state) throws(ControlError) in
            _ = try state.createEndpoint("thief", route: "/p.S/", backend: "own")
        }
        do throws(ControlError) {
            try change(&history) { (state) throws(ControlError) in
                _ = try state.rollBack(to: then, only: "e")
            }
            Issue.record("not refused")
        } catch {
            #expect(error.code == .failedPrecondition)
            #expect(error.message.contains("needs backend 'up', which no longer exists"))
            #expect(error.message.contains("needs route /p.S/, which belongs to endpoint 'thief'"))
        }
        do throws(ControlError) {
            try change(&history) { (state) throws(ControlError) in
                _ = try state.rollBack(to: then, only: "never")
            }
            Issue.record("not refused")
        } catch {
            #expect(error.message.contains("endpoint 'never' did not exist"))
        }
    }
}
