internal import GRPCWire
internal import Testing

@Suite struct ServerCallStateTests {
    private enum Step: Sendable { case send, finish, close }

    @Test(
        "Each event returns its action",
        arguments: [
            ([.finish], ["sendTrailersOnly"]),
            ([.send, .finish], ["sendHeadersAndMessage", "sendTrailers"]),
            ([.send, .send, .finish], ["sendHeadersAndMessage", "sendMessage", "sendTrailers"]),
            ([.finish, .send, .finish], ["sendTrailersOnly", "drop", "drop"]),
            ([.close], ["cancelHandler"]),
            ([.send, .close, .send], ["sendHeadersAndMessage", "cancelHandler", "drop"]),
            ([.finish, .close], ["sendTrailersOnly", "nothing"]),
            ([.close, .close, .finish], ["cancelHandler", "nothing", "drop"]),
        ] as [([Step], [String])])
    private func follows(steps: [Step], actions: [String]) {
        var state = ServerCallState()
        let taken = steps.map { step in
            switch step {
            case .send: "\(state.send())"
            case .finish: "\(state.finish())"
            case .close: "\(state.closed())"
            }
        }
        #expect(taken == actions)
    }
}
