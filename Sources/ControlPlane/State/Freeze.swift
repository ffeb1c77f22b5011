internal import FoundationEssentials
internal import GRPCWire
internal import Messages

extension ControlState {
    /// Why changes are rejected.
    package struct Freeze: Sendable, Equatable {
        /// The most bytes of a reason, which each rejected change returns.
        static let maxReasonBytes = 500
        /// The longest time of a freeze that ends by itself: a year.
        static let longest = Duration.seconds(31_536_000)

        let author: String
        let reason: String
        let since: Date
        /// When it ends; nil if it lasts until an operator ends it.
        let until: Date?
    }

    /// A change of the freeze: nil ends it.
    struct FreezeChange: Sendable, Equatable {
        let freeze: Freeze?
    }

    /// The freeze at a time. One that has ended by itself stays in the state.
    func freeze(at time: Date) -> Freeze? {
        freeze.flatMap { $0.until.map { time < $0 } ?? true ? $0 : nil }
    }
}

extension ControlState.Freeze: CustomStringConvertible {
    /// `changes are frozen by 'ann' until 2026-12-24T08:00:00Z: release of the shop`
    package var description: String {
        let end = until.map { " until \($0.formatted(.iso8601))" } ?? ""
        return "changes are frozen by '\(author)'\(end): \(reason)"
    }

    /// Checks a request to begin a freeze.
    init(
        _ request: Weir_Admin_V1_SetFreezeRequest, author: String, at now: Date
    ) throws(ControlError) {
        let reason = request.reason
        guard !reason.isEmpty else {
            throw .invalid("reason", "is empty; state why changes are frozen")
        }
        try RequestField("reason").check(reason, maxBytes: Self.maxReasonBytes)
        var end: Date?
        if let until = request.until {
            let latest = now.addingTimeInterval(Self.longest / .seconds(1))
            guard Google_Protobuf_Timestamp.secondsRange.contains(until.seconds),
                (0...999_999_999).contains(until.nanos), Date(until) > now, Date(until) <= latest
            else {
                throw .invalid(
                    "until",
                    "must be from now, \(now.formatted(.iso8601)), to "
                        + "\(latest.formatted(.iso8601))")
            }
            end = Date(until)
        }
        self.init(author: author, reason: reason, since: now, until: end)
    }

    /// Nil for invalid values of a store.
    init?(stored message: Weir_Admin_V1_Freeze) {
        let times = [message.since ?? .init(), message.until ?? .init()]
        guard times.allSatisfy({ Google_Protobuf_Timestamp.secondsRange.contains($0.seconds) })
        else { return nil }
        self.init(
            author: message.author, reason: message.reason, since: Date(times[0]),
            until: message.until.map { Date($0) })
    }
}

extension Weir_Admin_V1_Freeze {
    init(_ freeze: ControlState.Freeze) {
        self.init(
            author: freeze.author, reason: freeze.reason, since: .init(freeze.since),
            until: freeze.until.map { .init($0) })
    }
}

extension ControlError {
    static func frozen(_ freeze: ControlState.Freeze) -> ControlError {
        rejected(
            "\(freeze); rollbacks and aborts are accepted, SetFreeze (weir freeze off) ends the "
                + "freeze, and SetTraffic has override_freeze (--override-freeze)",
            reason: "FROZEN",
            [
                "author": freeze.author, "reason": freeze.reason,
                "until": freeze.until?.formatted(.iso8601) ?? "",
            ])
    }
}

extension ControlState.Backend {
    /// Whether another run of the same program serves the backend now. A freeze must not keep a
    /// program that was restarted from its requests.
    func isServedAgain(after known: Self?) -> Bool {
        guard let lease, let before = known?.lease else { return false }
        return lease.program == before.program && lease.session != before.session
    }
}

extension ControlPlane {
    func setFreeze(
        _ request: Weir_Admin_V1_SetFreezeRequest, options: ChangeOptions
    ) async throws -> Weir_Admin_V1_GetFreezeResponse {
        guard request.frozen || (request.reason.isEmpty && request.until == nil) else {
            throw ControlError.invalid(
                "frozen", "is false, which ends the freeze; leave reason and until out, or set it")
        }
        let freeze =
            request.frozen
            ? try ControlState.Freeze(request, author: options.author, at: chance.now()) : nil
        let revision = try await change(options.ignoringFreeze()) { (state) throws(ControlError) in
            state.freeze = freeze
        }.revision
        return .init(freeze: freeze.map { .init($0) }, revision: revision)
    }
}

extension ControlPlane.View {
    /// The present freeze; nil if changes are accepted.
    var freeze: ControlState.Freeze? { state.freeze(at: time) }

    func addFreeze(to text: inout MetricsText) {
        text.metric(
            "weir_frozen", .gauge,
            "Whether a freeze rejects changes, except rollbacks and aborts.", freeze == nil ? 0 : 1)
    }
}
