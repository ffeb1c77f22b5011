internal import GRPCWire
internal import Observability
internal import Testing

@testable internal import Serving

@Suite struct ShadowCopyMachineTests {
    /// An event, and the action that the machine returns.
    enum Event {
        case holdRequest(Int)
        case holdResponse(Int)
        case arrive(isComplete: Bool, ShadowCopyMachine.Taking)
        case start
        case credit(Int, releases: Int)
        case work
        case workEnd
        case leave(Bool)
        case respond(StatusCode, at: UInt64, ShadowCopyMachine.Responding)
        case primaryEnd(isTooFarAhead: Bool, ShadowCopyMachine.PrimaryEnding)
        case compare(bytes: Int)
        case end(releases: Int)
    }

    static let deadline: UInt64 = 1_000_000_000

    private func step(_ machine: inout ShadowCopyMachine, _ event: Event) {
        switch event {
        case .holdRequest(let bytes): machine.held(request: bytes)
        case .holdResponse(let bytes): machine.held(response: bytes)
        case .arrive(let isComplete, let expected):
            let taking = machine.requestArrived(isComplete: isComplete)
            #expect(taking == expected)
        case .start: machine.started(deadline: Self.deadline)
        case .credit(let bytes, let expected):
            let released = machine.credited(bytes)
            #expect(released == expected)
        case .work: machine.workBegan()
        case .workEnd: machine.workEnded()
        case .leave(let expected):
            let leaves = machine.takeEndOfFlight()
            #expect(leaves == expected)
        case .respond(let code, let now, let expected):
            let responding = machine.responded(code, at: now)
            #expect(responding == expected)
        case .primaryEnd(let isTooFarAhead, let expected):
            let ending = machine.primaryEnded(isTooFarAhead: isTooFarAhead)
            #expect(ending == expected)
        case .compare(let expected):
            let bytes = machine.handOverBytes()
            #expect(bytes == expected)
        case .end(let expected):
            let released = machine.ended()
            #expect(released == expected)
        }
    }

    private static let started: [Event] = [
        .holdRequest(10), .arrive(isComplete: true, .start), .start,
    ]

    @Test(
        "A copy is queued, running, answered and over",
        arguments: [
            ([], "open"), ([.arrive(isComplete: false, .start), .start], "running"),
            (started + [.arrive(isComplete: true, .ignore)], "running"),
            (
                [
                    .arrive(isComplete: false, .start), .start, .arrive(isComplete: false, .send),
                    .arrive(isComplete: true, .send), .arrive(isComplete: false, .ignore),
                ], "running"
            ),
            (started + [.respond(.ok, at: 0, .complete(releasing: 10))], "answered"),
            (
                started + [
                    .respond(.ok, at: 0, .complete(releasing: 10)), .respond(.ok, at: 0, .ignore),
                ], "answered"
            ),
            (started + [.end(releases: 10)], "over"), ([.end(releases: 0)], "over"),
            (
                [
                    .end(releases: 0), .arrive(isComplete: true, .ignore),
                    .respond(.ok, at: 0, .ignore),
                ], "over"
            ),
            // The response is known before the request has arrived.
            ([.respond(.ok, at: 0, .ignore)], "open"),
        ] as [([Event], String)])
    func transitions(events: [Event], phase: String) {
        var machine = ShadowCopyMachine()
        for event in events { step(&machine, event) }
        let isOpen = machine.isOpen
        let isRunning = machine.primaryEnded(isTooFarAhead: true) == .cutOff
        let (isAnswered, holdsBytes) = (machine.isAnswered, machine.holdsBytes)
        #expect(isRunning == (phase == "running"))
        #expect(isOpen == ["open", "running"].contains(phase))
        #expect(isAnswered == (phase == "answered"))
        #expect(holdsBytes == (phase != "over"))
    }

    @Test(
        "Every byte that a copy holds is released once",
        arguments: [
            [.holdRequest(10), .end(releases: 10), .end(releases: 0)],
            started + [.credit(4, releases: 4), .end(releases: 6)],
            started + [
                .credit(4, releases: 4), .holdResponse(5),
                .respond(.ok, at: 0, .complete(releasing: 6)), .holdResponse(7),
                .credit(6, releases: 0), .end(releases: 12),
            ],
            // A comparison takes over the bytes of both responses.
            started + [
                .holdResponse(5), .respond(.ok, at: 0, .complete(releasing: 10)),
                .compare(bytes: 5), .end(releases: 0),
            ],
            started + [.end(releases: 10), .credit(10, releases: 0)],
        ] as [[Event]])
    func releasesBytes(events: [Event]) {
        var machine = ShadowCopyMachine()
        for event in events { step(&machine, event) }
        let bytes = machine.heldBytes
        #expect(bytes == 0)
    }

    @Test(
        "A copy leaves the flight once, when it has ended and its handler has returned",
        arguments: [
            started + [
                .leave(false), .respond(.ok, at: 0, .complete(releasing: 10)),
                .leave(true), .leave(false),
            ],
            started + [.work, .end(releases: 10), .leave(false), .workEnd, .leave(true)],
            started + [.work, .workEnd, .leave(false), .end(releases: 10), .leave(true)],
            [.end(releases: 0), .leave(true), .end(releases: 0), .leave(false)],
        ] as [[Event]])
    func leavesFlight(events: [Event]) {
        var machine = ShadowCopyMachine()
        for event in events { step(&machine, event) }
    }

    @Test(
        "A DEADLINE_EXCEEDED close to the deadline drops the copy, other statuses do not",
        arguments: [
            (StatusCode.deadlineExceeded, deadline - 50_000_000, true),
            (.deadlineExceeded, deadline - 50_000_001, false), (.deadlineExceeded, deadline, true),
            (.deadlineExceeded, 2 * deadline, true), (.ok, deadline, false),
            (.cancelled, deadline, false),
        ])
    func dropsLateResponses(code: StatusCode, now: UInt64, isDropped: Bool) {
        var machine = ShadowCopyMachine()
        for event in Self.started { step(&machine, event) }
        step(
            &machine,
            .respond(code, at: now, isDropped ? .drop(.deadline) : .complete(releasing: 10)))
        let isAnswered = machine.isAnswered
        #expect(isAnswered != isDropped)
    }

    @Test("The end of the client's response cuts a longer one off, or causes the comparison")
    func endsPrimary() {
        var machine = ShadowCopyMachine()
        step(&machine, .primaryEnd(isTooFarAhead: true, .wait))
        for event in Self.started { step(&machine, event) }
        step(&machine, .primaryEnd(isTooFarAhead: false, .wait))
        step(&machine, .primaryEnd(isTooFarAhead: true, .cutOff))
        step(&machine, .respond(.cancelled, at: 0, .complete(releasing: 10)))
        step(&machine, .primaryEnd(isTooFarAhead: true, .compare))
        step(&machine, .end(releases: 0))
        step(&machine, .primaryEnd(isTooFarAhead: true, .wait))
    }

    @Test("The limit of unread bytes applies to one copy")
    func limitsUnreadBytes() {
        var machine = ShadowCopyMachine()
        machine.held(request: 6)
        machine.held(response: 100)
        let (fits, exceeds) = (
            machine.fits(request: 4, limit: 10), machine.fits(request: 5, limit: 10)
        )
        #expect(fits && !exceeds)
        for event in [Event.arrive(isComplete: false, .start), .start, .credit(2, releases: 2)] {
            step(&machine, event)
        }
        let fitsNow = machine.fits(request: 6, limit: 10)
        #expect(fitsNow)
    }
}
