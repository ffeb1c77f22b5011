internal import Foundation
internal import Messages
internal import Rollouts
internal import Testing
internal import TrafficPolicy

@testable internal import ControlPlane

/// Changes of weights that revert.
@Suite struct TimedChangeTests {
    private static func changed(
        confirmable: Bool = false, seconds: Int64 = 60, ago: Double = 0
    ) throws -> ControlState {
        var state = ControlState()
        for name in ["v1", "v2"] {
            _ = try state.createBackend(
                .init(name: name, kind: .handler(name)), registered: ["v1", "v2"])
        }
        _ = try state.createEndpoint("e", route: "/x.Y/", backend: "v1")
        _ = try state.setTraffic(
            "e", [("v2", 1)],
            timeBox: .init(
                isConfirmable: confirmable, duration: .seconds(seconds),
                started: Date(timeIntervalSinceNow: -ago), author: "ann"))
        return state
    }

    private static func owner(_ state: ControlState) -> String? {
        state.endpoints["e"]?.weights.weights.first?.backend
    }

    @Test("The weights of before return with all keys, and the backend stays until then")
    func reverts() throws {
        var state = try Self.changed()
        #expect(Self.owner(state) == "v2")
        #expect(throws: ControlError.self) { try state.deleteBackend("v1") }
        _ = try state.revertTraffic("e")
        #expect(Self.owner(state) == "v1" && state.endpoints["e"]?.timeBox == nil)
    }

    @Test("A confirmation keeps the weights; only a change that waits for one has it")
    func confirms() throws {
        var state = try Self.changed(confirmable: true)
        _ = try state.confirmTraffic("e")
        #expect(Self.owner(state) == "v2" && state.endpoints["e"]?.timeBox == nil)
        #expect(throws: ControlError.self) { _ = try state.confirmTraffic("e") }
        var lasting = try Self.changed()
        #expect(throws: ControlError.self) { _ = try lasting.confirmTraffic("e") }
    }

    @Test("Another change of the weights stays")
    func superseded() throws {
        var state = try Self.changed()
        _ = try state.setTraffic("e", [("v1", 0.5), ("v2", 0.5)])
        #expect(state.endpoints["e"]?.timeBox == nil)
    }

    @Test("The time without a server counts, and a clock that is set back does not lengthen it")
    func time() throws {
        let change = try #require(try Self.changed(ago: 50).endpoints["e"]?.timeBox)
        var box = try #require(change.box(at: Date()))
        let isEarly = box.tick(elapsed: .seconds(5))
        #expect(!isEarly)
        let reverted = box.tick(elapsed: .seconds(11))
        #expect(reverted)
        for now in [Date.distantPast, .distantFuture, Date(timeIntervalSince1970: 1e300)] {
            #expect(change.box(at: now) != nil)
        }
    }

    @Test("A stored change is read unchanged, and an invalid one is rejected")
    func stores() throws {
        let change = try #require(try Self.changed(confirmable: true).endpoints["e"]?.timeBox)
        let message = Weir_Store_V1_TimeBox(change)
        let read = try #require(ControlState.TimedChange(message))
        #expect(read.before == change.before && read.duration == change.duration)
        let changes: [(inout Weir_Store_V1_TimeBox) -> Void] = [
            { $0.duration = nil }, { $0.duration = .init(seconds: .max) }, { $0.before = [] },
            { $0.started = .init(seconds: .min) },
        ]
        for change in changes {
            var invalid = message
            change(&invalid)
            #expect(ControlState.TimedChange(invalid) == nil)
        }
    }

    /// The configuration of the state with other weights.
    private static func configuration(
        _ state: ControlState, _ weights: [String: Double]? = nil
    ) throws -> ControlState.Configuration {
        var message = try Weir_Admin_V1_Configuration(state, secrets: .revealed)
        if let weights { message.endpoints[0].weights = weights }
        return try .init(message)
    }

    @Test("An export has the weights of before, and its application keeps the change")
    func exports() throws {
        var state = ControlState()
        _ = state.apply(state.delta(to: try Self.changed()))
        let exported = try Weir_Admin_V1_Configuration(state, secrets: .revealed)
        #expect(exported.endpoints.first?.weights == ["v1": 1])
        var same = state
        let notes = try same.replaceContent(
            with: try .init(exported), registered: ["v1", "v2"])
        #expect(notes.count == 1 && notes.allSatisfy { !$0.isUndone })
        #expect(notes.first?.text.contains("'ann' has set its weights v2=1") == true)
        #expect(Self.owner(same) == "v2" && same.endpoints["e"]?.timeBox != nil)
        #expect(state.delta(to: same).isEmpty)
    }

    @Test("A configuration with the temporary weights stays undone; other weights replace them")
    func applies() throws {
        let state = try Self.changed()
        var same = state
        let notes = try same.replaceContent(
            with: try Self.configuration(state, ["v2": 1]), registered: ["v1", "v2"])
        #expect(notes.map(\.isUndone) == [true] && same.endpoints["e"]?.timeBox != nil)
        var other = state
        let none = try other.replaceContent(
            with: try Self.configuration(state, ["v1": 0.5, "v2": 0.5]), registered: ["v1", "v2"])
        #expect(none == [] && other.endpoints["e"]?.timeBox == nil)
    }

    @Test("A revert that fails is tried again after 1 s, 2 s, 4 s and so on, up to a minute")
    func backsOff() throws {
        let change = try #require(try Self.changed(ago: 59).endpoints["e"]?.timeBox)
        let start = ContinuousClock.now
        var box = try #require(RunningTimeBox(change, at: Date(), now: start))
        var attempts: [Int] = []
        for second in 0..<300 {
            let now = start + .seconds(second)
            guard box.tick(now: now) else { continue }
            attempts.append(second)
            box.failed(now: now)
        }
        let first = try #require(attempts.first)
        #expect(first <= 2)
        #expect(
            attempts.map { $0 - first } == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243])
    }
}
