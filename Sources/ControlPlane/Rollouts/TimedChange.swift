internal import GRPCWire
internal import Logging
internal import Messages
internal import Rollouts
internal import StateStores
internal import TrafficPolicy
internal import Transport

internal import struct FoundationEssentials.Date

extension ControlState {
    /// A change of an endpoint's weights that reverts.
    package struct TimedChange: Sendable, Equatable {
        /// What a request for such a change contains.
        package struct Request: Sendable {
            let isConfirmable: Bool
            let duration: Duration
            let started: Date
            let author: String
        }

        let isConfirmable: Bool
        let duration: Duration
        let started: Date
        /// The previous weights.
        let before: TrafficWeights
        let author: String

        init(_ request: Request, before: TrafficWeights) {
            isConfirmable = request.isConfirmable
            duration = request.duration
            started = request.started
            author = request.author
            self.before = before
        }

        /// The backends of the previous weights.
        var backends: Set<String> { Set(before.weights.map(\.backend)) }

        /// The box at a time, which also counts the time in which no server ran.
        func box(at now: Date) -> TimeBox? {
            let seconds = max(0, now.timeIntervalSince(started))
            return TimeBox(
                duration, elapsed: .seconds(min(seconds, TimeBox.longest / .seconds(1))))
        }

        var reverts: Date { started.addingTimeInterval(duration / .seconds(1)) }
    }

    /// Keeps weights that would revert.
    mutating func confirmTraffic(_ name: String) throws(ControlError) -> Endpoint {
        var endpoint = try existingEndpoint(name)
        guard let box = endpoint.timeBox, box.isConfirmable else {
            throw .rejected(
                "endpoint '\(name)': no change of the weights waits for a confirmation; they "
                    + (endpoint.timeBox == nil ? "will stay" : "will revert in any case"),
                reason: "NOTHING_TO_CONFIRM", ["endpoint": name])
        }
        endpoint.timeBox = nil
        return put(endpoint)
    }

    /// Restores the weights before a change whose time has passed.
    mutating func revertTraffic(_ name: String) throws(ControlError) -> Endpoint {
        let endpoint = try existingEndpoint(name)
        guard let box = endpoint.timeBox else { return endpoint }
        return try setTraffic(name, box.before.weights).endpoint
    }

    /// Rejects the deletion of a backend to which weights will revert.
    func checkTimeBoxes(without backend: String) throws(ControlError) {
        for endpoint in endpoints.values.sorted(by: { $0.name < $1.name }) {
            guard let box = endpoint.timeBox, box.backends.contains(backend) else { continue }
            throw .rejected(
                "endpoint '\(endpoint.name)' will revert to \(box.before.inWords); set its weights "
                    + "before you delete backend '\(backend)'", reason: "BACKEND_IN_USE",
                ["backend": backend, "endpoints": endpoint.name])
        }
    }
}

extension ControlState.TimedChange.Request {
    /// Nil for a change that stays.
    init?(
        _ request: Weir_Admin_V1_SetTrafficRequest, author: String, at now: Date
    ) throws(ControlError) {
        guard request.revertAfter == nil || request.confirmWithin == nil else {
            throw .invalid("confirm_within", "cannot be combined with revert_after; set one")
        }
        var duration = Duration.zero
        try RequestField("revert_after").set(&duration, request.revertAfter)
        try RequestField("confirm_within").set(&duration, request.confirmWithin)
        guard request.revertAfter != nil || request.confirmWithin != nil else { return nil }
        guard duration >= .seconds(1) else {
            throw .invalid(
                request.confirmWithin == nil ? "revert_after" : "confirm_within",
                "is \(duration); it must be from 1 s to \(TimeBox.longest.components.seconds) s")
        }
        self.init(
            isConfirmable: request.confirmWithin != nil, duration: duration, started: now,
            author: author)
    }
}

extension Weir_Admin_V1_TrafficTimeBox {
    init(_ change: ControlState.TimedChange) {
        self.init(
            reverts: .init(change.reverts), confirmable: change.isConfirmable,
            before: .init(change.before), author: change.author)
    }
}

extension Weir_Store_V1_TimeBox {
    init(_ change: ControlState.TimedChange) {
        self.init(
            confirmable: change.isConfirmable, duration: .init(change.duration),
            started: .init(change.started), before: .init(change.before), author: change.author)
    }
}

extension ControlState.TimedChange {
    /// Nil for invalid values.
    init?(_ message: Weir_Store_V1_TimeBox) {
        let time = message.started ?? .init()
        guard Google_Protobuf_Timestamp.secondsRange.contains(time.seconds),
            let duration = Duration(stored: message.duration), duration >= .seconds(1),
            let before = TrafficWeights(stored: message.before.map { ($0.backend, $0.weight) })
        else { return nil }
        self.init(
            Request(
                isConfirmable: message.confirmable, duration: duration, started: Date(time),
                author: message.author),
            before: before)
    }
}

/// A change that reverts, on the server that will revert it.
///
/// ```
///   waiting -- its time has passed --> due <--. after 1 s, 2 s, 4 s ... 60 s
///                                       |     |
///                                       '--> failed
/// ```
struct RunningTimeBox {
    /// The times between two attempts to revert.
    private static let delay = ExponentialDelay(initial: .seconds(1), maximum: .seconds(60))

    let change: ControlState.TimedChange
    private var box: TimeBox
    private var last: ContinuousClock.Instant
    private var hasPassed = false
    private var attempts = 1
    private var nextAttempt: ContinuousClock.Instant?

    /// - Parameters:
    ///   - time: the wall clock.
    ///   - now: the same moment.
    init?(_ change: ControlState.TimedChange, at time: Date, now: ContinuousClock.Instant) {
        guard let box = change.box(at: time) else { return nil }
        self.change = change
        self.box = box
        last = now
    }

    /// - Returns: whether to revert now.
    mutating func tick(now: ContinuousClock.Instant) -> Bool {
        if box.tick(elapsed: now - last) { hasPassed = true }
        last = now
        return hasPassed && nextAttempt.map { now >= $0 } ?? true
    }

    /// The weights could not be reverted.
    mutating func failed(now: ContinuousClock.Instant) {
        attempts += 1
        nextAttempt = now + Self.delay.bound(before: attempts)
    }
}

extension ControlPlane {
    /// A freeze allows it: no weights change.
    func confirmTraffic(
        _ name: String, options: ChangeOptions
    ) async throws -> ControlState.Endpoint {
        try await change(options.ignoringFreeze()) { (state) throws(ControlError) in
            try state.confirmTraffic(name)
        }.result
    }

    /// Reverts the changes of weights whose time has passed. The leader of a fleet does it.
    func tickTimeBoxes() async {
        let boxes = state.endpoints.compactMapValues(\.timeBox)
        timeBoxes = timeBoxes.filter { boxes[$0.key] == $0.value.change }
        guard !boxes.isEmpty, storeProblem == nil, await store.isLeader else { return }
        for (name, change) in boxes {
            let now = ContinuousClock.now
            guard
                var running = timeBoxes[name]
                    ?? RunningTimeBox(change, at: chance.now(), now: now)
            else { continue }
            if running.tick(now: now), await !revert(name, change) { running.failed(now: now) }
            timeBoxes[name] = running
        }
    }

    /// - Returns: whether the change is no longer served.
    private func revert(_ name: String, _ box: ControlState.TimedChange) async -> Bool {
        let text =
            "the time of the change by '\(box.author.printable(limit: 256))' has passed"
        let options = ChangeOptions(
            author: "traffic/\(name)", comment: text, ignoresFreeze: true)
        do {
            _ = try await change(options) { (state) throws(ControlError) in
                guard state.endpoints[name]?.timeBox == box else { return }
                _ = try state.revertTraffic(name)
            }
            log.notice("weights reverted: \(text)", metadata: ["endpoint": "\(name)"])
            return true
        } catch {
            log.warning(
                "weights cannot be reverted; it will be tried again",
                metadata: ["endpoint": "\(name)", "reason": "\(error)"])
            return false
        }
    }
}
