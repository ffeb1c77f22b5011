internal import Testing
internal import Transport

@testable internal import Serving

@Suite struct HTTP1MachineTests {
    static let millisecond: UInt64 = 1_000_000
    static let second: UInt64 = 1_000_000_000

    /// An event, and the action that the machine returns.
    enum Event {
        case read(Bool)
        case received(Int, HTTP1Machine.Input)
        case begin(Bool)
        case step(hasInput: Bool, HTTP1Machine.Step)
        case part
        case head
        case end(isHeadIncomplete: Bool, reads: Bool)
        case resume
        case complete
        case refuse(Bool)
        case reply(HTTP1Response.Persistence, HTTP1Response.Persistence?)
        case write(Int)
        case flush
        case written(HTTP1Response.Persistence, hasInput: Bool, HTTP1Machine.Continuation)
        case responding(HTTP1Response.Persistence, HTTP1Response.Persistence?)
        case responded(isComplete: Bool?)
        case pass(Int)
        case credit(Int, parses: Bool)
        case drain(isIdle: Bool, closes: Bool)
        /// Time passes, in milliseconds.
        case wait(UInt64)
        case timeout(Bool)
    }

    private static func step(_ machine: inout HTTP1Machine, _ event: Event, _ now: inout UInt64) {
        switch event {
        case .read(let expected):
            let reads = machine.readRequested()
            #expect(reads == expected)
        case .received(let bytes, let expected):
            let input = machine.received(bytes, limit: 100)
            #expect(input == expected)
        case .begin(let expected):
            let begins = machine.beginParsing(at: now)
            #expect(begins == expected)
        case .step(let hasInput, let expected):
            let step = machine.nextStep(hasInput: hasInput)
            #expect(step == expected)
        case .part: machine.partReceived(at: now)
        case .head: machine.headReceived()
        case .end(let isHeadIncomplete, let expected):
            let reads = machine.endParsing(at: now, isHeadIncomplete: isHeadIncomplete)
            #expect(reads == expected)
        case .resume: machine.pauseEnded()
        case .complete: machine.requestComplete()
        case .refuse(let expected):
            let refuses = machine.refused()
            #expect(refuses == expected)
        case .reply(let persistence, let expected):
            let response = machine.replied(persistence)
            #expect(response == expected)
        case .write(let bytes): machine.writing(bytes, at: now)
        case .flush: machine.flushed(machine.unsentBytes)
        case .written(let persistence, let hasInput, let expected):
            let next = machine.written(persistence, hasInput: hasInput, at: now)
            #expect(next == expected)
        case .responding(let persistence, let expected):
            let response = machine.responding(persistence)
            #expect(response == expected)
        case .responded(let expected):
            let isComplete = machine.responseEnded()
            #expect(isComplete == expected)
        case .pass(let bytes): machine.passed(bytes)
        case .credit(let bytes, let expected):
            let parses = machine.credited(bytes)
            #expect(parses == expected)
        case .drain(let isIdle, let expected):
            let closes = machine.drain(isIdle: isIdle)
            #expect(closes == expected)
        case .wait(let milliseconds): now += milliseconds * millisecond
        case .timeout(let expected):
            var limits = Limits()
            limits.firstRequestTimeout = .seconds(10)
            limits.headersTimeout = .seconds(5)
            limits.http1IdleTimeout = .seconds(75)
            limits.slowReaderTimeout = .seconds(300)
            let isTimedOut = machine.isTimedOut(limits, at: now)
            #expect(isTimedOut == expected)
        }
    }

    private func run(_ events: [Event]) {
        var now = Self.second
        var machine = HTTP1Machine(openedAt: now, maxUnreadBytes: 100)
        for event in events { Self.step(&machine, event, &now) }
    }

    /// A whole request, which waits for its reply.
    private static let request: [Event] = [
        .begin(true), .step(hasInput: true, .parse), .part, .head, .step(hasInput: true, .parse),
        .part, .complete, .step(hasInput: true, .stop), .end(isHeadIncomplete: true, reads: false),
    ]
    /// Its response, on a connection that stays open.
    private static let response: [Event] = [
        .reply(.keepAlive, .keepAlive), .write(10), .flush,
        .written(.keepAlive, hasInput: false, .nextRequest),
    ]

    @Test("A connection reads only while no request is answered or response written")
    func reads() {
        run([.read(true)] + Self.request + [.read(false), .reply(.keepAlive, .keepAlive)])
        run(
            Self.request + [.read(false)] + Self.response
                + [
                    .begin(true), .step(hasInput: false, .parse),
                    .end(isHeadIncomplete: false, reads: true), .begin(true),
                    // The channel has not requested another read.
                    .end(isHeadIncomplete: false, reads: false),
                ])
    }

    @Test(
        "A response ends the connection if the request or a drain says so",
        arguments: [
            ([.reply(.close, .close), .written(.close, hasInput: false, .close)]),
            ([.reply(.close, .close), .written(.close, hasInput: true, .linger)]),
            ([
                .drain(isIdle: true, closes: false), .reply(.keepAlive, .close),
                .written(.close, hasInput: false, .close),
            ]),
            // A drain during the response closes the connection after it, or after the next one.
            ([
                .reply(.keepAlive, .keepAlive), .drain(isIdle: true, closes: false),
                .written(.keepAlive, hasInput: false, .close),
            ]),
            ([
                .reply(.keepAlive, .keepAlive), .drain(isIdle: true, closes: false),
                .written(.keepAlive, hasInput: true, .nextRequest),
                .drain(isIdle: true, closes: true),
            ]),
        ] as [[Event]])
    func ends(events: [Event]) { run(Self.request + events) }

    @Test("A second reply, or one without a request, is ignored")
    func ignoresReplies() {
        run([.reply(.keepAlive, nil)])
        run(Self.request + [.reply(.keepAlive, .keepAlive), .reply(.keepAlive, nil)])
        run([.begin(true), .refuse(true), .reply(.keepAlive, nil)])
    }

    @Test(
        "A response in pieces begins and ends before or after the end of its request",
        arguments: [
            request + [
                .responding(.keepAlive, .keepAlive), .responding(.keepAlive, nil),
                .reply(.keepAlive, nil), .write(10), .write(10), .responded(isComplete: true),
                .responded(isComplete: nil), .flush,
                .written(.keepAlive, hasInput: false, .nextRequest), .read(true),
            ],
            // The request is incomplete at the end, so the rest of it is discarded.
            [
                .begin(true), .part, .head, .responding(.keepAlive, .close),
                .step(hasInput: true, .parse), .responded(isComplete: false),
                .step(hasInput: true, .stop), .received(10, .discard),
            ],
            // A response that has begun cannot become a refusal.
            [.begin(true), .part, .head, .responding(.close, .close), .refuse(false)],
            [.drain(isIdle: false, closes: false)] + request + [.responding(.keepAlive, .close)],
            // Its client reads nothing.
            request + [
                .responding(.keepAlive, .keepAlive), .write(1), .wait(300_000), .timeout(false),
                .wait(1), .timeout(true), .flush, .timeout(false),
            ],
        ] as [[Event]])
    func streams(events: [Event]) { run(events) }

    @Test("A client waits while many bytes of its body wait for the backend, without a timeout")
    func blocks() {
        run([
            .begin(true), .part, .head, .pass(100), .step(hasInput: true, .parse), .pass(1),
            .step(hasInput: true, .stop), .end(isHeadIncomplete: false, reads: false),
            .read(false), .wait(100_000), .timeout(false), .credit(0, parses: false),
            .credit(1, parses: true), .begin(true), .step(hasInput: true, .parse),
            .end(isHeadIncomplete: false, reads: true), .credit(1_000, parses: false),
        ])
    }

    @Test("After a refusal, input is discarded up to a limit")
    func lingers() {
        run([
            .received(1_000, .parse), .begin(true), .step(hasInput: true, .parse), .refuse(true),
            .refuse(false), .step(hasInput: true, .stop),
            .end(isHeadIncomplete: true, reads: false), .read(true), .received(60, .discard),
            .received(40, .discard), .received(1, .close),
        ])
        // A request that is answered cannot be refused.
        run(Self.request + [.refuse(false)])
    }

    @Test("A client that sends many requests at once is paused after a slice of time")
    func pauses() {
        run([
            .begin(true), .begin(false), .part, .step(hasInput: true, .parse), .wait(2), .part,
            // Without more input, the slice does not matter.
            .step(hasInput: false, .parse), .step(hasInput: true, .pause),
            .end(isHeadIncomplete: true, reads: false), .read(false), .begin(false), .resume,
            .begin(true), .step(hasInput: true, .parse), .step(hasInput: false, .parse),
            .end(isHeadIncomplete: false, reads: true),
        ])
    }

    @Test(
        "Each phase has its timeout",
        arguments: [
            // The first request.
            [.wait(10_000), .timeout(false), .wait(1), .timeout(true)],
            [
                .drain(isIdle: true, closes: false), .wait(500), .timeout(false), .wait(1),
                .timeout(true),
            ],
            // The handler has no timeout.
            request + [.wait(1_000_000), .timeout(false)],
            // The client reads nothing of a response.
            request + [
                .reply(.keepAlive, .keepAlive), .write(1), .wait(300_000), .timeout(false),
                .wait(1), .timeout(true), .flush, .timeout(false),
            ],
            // The client sends no further request.
            request + response + [.wait(75_000), .timeout(false), .wait(1), .timeout(true)],
            // A head is incomplete. Further bytes of it do not extend the timeout.
            request + response + [
                .begin(true), .end(isHeadIncomplete: true, reads: false), .wait(4_000),
                .begin(true), .part, .end(isHeadIncomplete: true, reads: false), .wait(1_000),
                .timeout(false), .wait(1), .timeout(true),
            ],
            // The timeout of a head that arrives during a response starts after the response.
            request + [.wait(60_000)] + response + [
                .begin(true), .end(isHeadIncomplete: true, reads: false), .wait(5_000),
                .timeout(false), .wait(1), .timeout(true),
            ],
        ] as [[Event]])
    func timesOut(events: [Event]) { run(events) }
}
