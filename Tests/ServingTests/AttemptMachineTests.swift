internal import GRPCWire
internal import HTTP2Session
internal import Testing
internal import Transport
internal import Upstream

@testable internal import Serving

@Suite struct AttemptMachineTests {
    typealias Failure = AttemptMachine.Failure

    private func failed(_ failure: StreamFailure, committed: Bool) -> Failure {
        var machine = AttemptMachine()
        machine.began()
        if committed { machine.committed() }
        return machine.failed(failure, backend: "b")
    }

    @Test(
        "A failure counts for the replica, and is resent, retried or final",
        arguments: [
            (
                .unprocessed("GOAWAY"), false,
                Failure(
                    code: nil, fault: nil,
                    next: .resend(RPCError(.unavailable, "backend 'b': GOAWAY")))
            ),
            (
                .lost("connection reset"), false,
                Failure(
                    code: .unavailable, fault: "connection reset",
                    next: .retry(RPCError(.unavailable, "backend 'b': connection reset")))
            ),
            (
                .reset(.cancel), false,
                Failure(
                    code: .unavailable, fault: "the stream was reset: CANCEL",
                    next: .retry(
                        RPCError(.unavailable, "backend 'b': the stream was reset: CANCEL")))
            ),
            // After the first bytes of the response, the client gets the status of the code.
            (
                .reset(.cancel), true,
                Failure(
                    code: .cancelled, fault: "the stream was reset: CANCEL",
                    next: .end(RPCError(.cancelled, "backend 'b': the stream was reset: CANCEL")))
            ),
            (
                .reset(.protocolError), false,
                Failure(
                    code: .internalError, fault: nil,
                    next: .end(
                        RPCError(
                            .internalError,
                            "backend 'b': the stream was reset: PROTOCOL_ERROR")))
            ),
        ] as [(StreamFailure, Bool, Failure)])
    func failures(failure: StreamFailure, committed: Bool, expected: Failure) {
        #expect(failed(failure, committed: committed) == expected)
    }

    @Test(
        "A limit of Weir ends the call and does not count against the replica",
        arguments: [
            (
                .unsendable(.listBytes(9)), nil, .resourceExhausted,
                "the request headers cannot be sent to backend 'b': the headers exceed the limit "
                    + "of 9 bytes"
            ),
            (.unsendable(.refused(code: -501)), nil, .internalError, "cannot be sent"),
            (
                .headersTooLarge(.fields(9), isTrailers: true), .resourceExhausted,
                .resourceExhausted, "the response trailers of backend 'b' are over the limit of 9"
            ),
            (
                .headersTooLarge(.fields(9), isTrailers: false), .resourceExhausted,
                .resourceExhausted, "the response headers of backend 'b' are over the limit of 9"
            ),
        ] as [(StreamFailure, StatusCode?, StatusCode, String)])
    func limits(failure: StreamFailure, counted: StatusCode?, code: StatusCode, message: String) {
        let failure = failed(failure, committed: false)
        #expect(failure.code == counted && failure.fault == nil)
        guard case .end(let error) = failure.next else {
            Issue.record("\(failure.next)")
            return
        }
        #expect(error.code == code)
        #expect(error.message.contains(message), "\(error.message)")
    }

    @Test("A request that no replica has processed is resent, but not without end")
    func resends() {
        var machine = AttemptMachine()
        for _ in 0..<AttemptMachine.maxTransparentRetries {
            machine.began()
            let resent = machine.resend(canReplay: true)
            let attempts = machine.attempts
            #expect(resent && attempts == 0)
        }
        machine.began()
        let resent = machine.resend(canReplay: true)
        #expect(!resent)
    }

    @Test(
        "A request is not resent if it was not kept or the client has its response",
        arguments: [(false, false), (true, true), (false, true)])
    func notResent(canReplay: Bool, committed: Bool) {
        var machine = AttemptMachine()
        machine.began()
        if committed { machine.committed() }
        let resent = machine.resend(canReplay: canReplay)
        #expect(!resent)
    }

    struct Case: Sendable {
        var code = StatusCode.unavailable
        var pushback: Int?
        var attempts = 1
        var committed = false
        var canReplay = true
        var timeLeft: Int64?
        let delay: Int64?
    }

    @Test(
        "A status is retried if the policy, the response and the deadline allow it",
        arguments: [
            // Half of 25 ms, and of 50 ms.
            Case(delay: 12_500_000), Case(attempts: 2, delay: 25_000_000),
            Case(attempts: 3, delay: nil),
            Case(code: .aborted, delay: nil), Case(committed: true, delay: nil),
            Case(canReplay: false, delay: nil),
            Case(pushback: 0, delay: 0), Case(pushback: 60_000, delay: 60_000_000_000),
            Case(pushback: 60_001, delay: nil), Case(pushback: -1, delay: nil),
            Case(timeLeft: 12_500_000, delay: nil),
            Case(timeLeft: 12_500_001, delay: 12_500_000),
        ])
    func retries(_ test: Case) {
        var policy = RetryPolicy()
        policy.codes = [.unavailable]
        var machine = AttemptMachine()
        for attempt in 1...test.attempts {
            machine.began()
            if attempt < test.attempts { machine.retried() }
        }
        if test.committed { machine.committed() }
        let delay = machine.retryDelay(
            test.code, pushback: test.pushback, policy, canReplay: test.canReplay,
            timeLeft: test.timeLeft, random: 0.5)
        #expect(delay == test.delay)
    }
}
