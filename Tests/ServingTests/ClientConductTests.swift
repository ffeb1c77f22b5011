import Testing
internal import Transport

@testable import Serving

private let second: UInt64 = 1_000_000_000

@Suite("Limits on a client's frames")
struct ClientConductTests {
    private var limits: Limits {
        var limits = Limits()
        limits.maxPingStrikes = 2
        limits.minPingInterval = .seconds(10)
        limits.maxResets = 20
        limits.maxOverheadFrames = 100
        return limits
    }

    @Test("PINGs below the interval are accepted up to the number of strikes")
    func countsPings() {
        var conduct = ClientConduct(limits, at: 0)
        // The first PING has no previous one.
        for number in 0...2 {
            #expect(conduct.pinged(at: UInt64(number) * second, sinceContent: false) == nil)
        }
        #expect(conduct.pinged(at: 3 * second, sinceContent: false) == .tooManyPings)
    }

    @Test("PINGs at the interval are not strikes, just below it they are")
    func countsPingsBelowInterval() {
        var calm = ClientConduct(limits, at: 0)
        for number in 0..<20 {
            #expect(calm.pinged(at: UInt64(number) * 10 * second, sinceContent: false) == nil)
        }
        var hasty = ClientConduct(limits, at: 0)
        let refused = (0..<4).map {
            hasty.pinged(at: UInt64($0) * (10 * second - 1), sinceContent: false)
        }
        #expect(refused == [nil, nil, nil, .tooManyPings])
    }

    @Test("PINGs are not strikes while the server sends content")
    func allowsPingsWhileSending() {
        var conduct = ClientConduct(limits, at: 0)
        for number in 0..<100 {
            #expect(conduct.pinged(at: UInt64(number), sinceContent: number % 2 == 0) == nil)
        }
    }

    @Test("Resets are accepted up to the limit, and then at a tenth of it per second")
    func countsResets() {
        var conduct = ClientConduct(limits, at: 0)
        for _ in 0..<20 { #expect(conduct.reset(at: 0) == nil) }
        #expect(conduct.reset(at: 0) == .tooManyResets)
        #expect(conduct.reset(at: second / 2 - 1) == .tooManyResets)
        #expect(conduct.reset(at: second / 2 + second / 2) == nil)
    }

    @Test("Frames without content are accepted up to the limit, in one batch or in many")
    func countsFrames() {
        var whole = ClientConduct(limits, at: 0)
        #expect(whole.sent(overheadFrames: 100, at: 0) == nil)
        #expect(whole.sent(overheadFrames: 1, at: 0) == .tooManyFrames)
        #expect(whole.sent(overheadFrames: 100, at: second) == nil)
        var tooMany = ClientConduct(limits, at: 0)
        #expect(tooMany.sent(overheadFrames: 101, at: 0) == .tooManyFrames)
    }
}

@Suite("Timeouts of a client connection")
struct ConnectionTimeoutsTests {
    private var limits: Limits {
        var limits = Limits()
        limits.firstRequestTimeout = .seconds(10)
        limits.headersTimeout = .seconds(5)
        limits.idleTimeout = .seconds(100)
        limits.keepaliveInterval = .seconds(30)
        limits.keepaliveTimeout = .seconds(20)
        return limits
    }

    private func isClose(_ verdict: ConnectionTimeouts.Verdict) -> Bool {
        if case .close = verdict { true } else { false }
    }

    @Test("A connection without a request is closed just after its timeout")
    func limitsWaitForRequest() {
        var timeouts = ConnectionTimeouts(at: 0)
        #expect(timeouts.check(limits, at: 10 * second, lastReceived: 0, openStreams: 0) == .wait)
        #expect(
            isClose(timeouts.check(limits, at: 10 * second + 1, lastReceived: 0, openStreams: 0)))
        timeouts.hasBegun = true
        #expect(
            timeouts.check(limits, at: 10 * second + 1, lastReceived: 0, openStreams: 0) == .wait)
    }

    @Test("The timeout of a header block starts with its first frame")
    func limitsWaitForHeaders() {
        var timeouts = ConnectionTimeouts(at: 0)
        timeouts.hasBegun = true
        for time in 1...6 {
            timeouts.received(at: UInt64(time) * second, isReceivingHeaders: true)
        }
        let now = 6 * second
        #expect(timeouts.check(limits, at: now, lastReceived: now, openStreams: 1) == .wait)
        #expect(isClose(timeouts.check(limits, at: now + 1, lastReceived: now, openStreams: 1)))
        timeouts.received(at: now, isReceivingHeaders: false)
        #expect(timeouts.check(limits, at: now + 1, lastReceived: now, openStreams: 1) == .wait)
    }

    @Test("A silent client receives one PING, and is closed without an acknowledgement")
    func sendsKeepalivePings() {
        var timeouts = ConnectionTimeouts(at: 0)
        timeouts.hasBegun = true
        #expect(timeouts.check(limits, at: 30 * second, lastReceived: 0, openStreams: 1) == .wait)
        #expect(
            timeouts.check(limits, at: 30 * second + 1, lastReceived: 0, openStreams: 1) == .ping)
        let asked = 30 * second + 1
        #expect(
            timeouts.check(limits, at: asked + 20 * second, lastReceived: 0, openStreams: 1)
                == .wait)
        var other = timeouts
        #expect(
            isClose(
                other.check(limits, at: asked + 20 * second + 1, lastReceived: 0, openStreams: 1)))
        timeouts.received(at: asked + second, isReceivingHeaders: false)
        #expect(
            timeouts.check(
                limits, at: asked + 30 * second, lastReceived: asked + second, openStreams: 1)
                == .wait)
    }

    @Test("An idle connection receives GOAWAY after its timeout, and is closed if the client stays")
    func closesIdleConnections() {
        var timeouts = ConnectionTimeouts(at: 0)
        timeouts.hasBegun = true
        timeouts.streamClosed(at: 50 * second)
        let idle = 150 * second
        #expect(timeouts.check(limits, at: idle, lastReceived: idle, openStreams: 0) == .wait)
        #expect(timeouts.check(limits, at: idle + 1, lastReceived: idle, openStreams: 1) == .wait)
        #expect(timeouts.check(limits, at: idle + 1, lastReceived: idle, openStreams: 0) == .drain)
        timeouts.drained(at: idle + 1)
        let late = idle + 1 + 20 * second
        #expect(timeouts.check(limits, at: late, lastReceived: late, openStreams: 0) == .wait)
        #expect(isClose(timeouts.check(limits, at: late + 1, lastReceived: late, openStreams: 0)))
    }
}

@Suite("Limits")
struct LimitsTests {
    @Test("A port accepts connections up to its limits, in total and by address")
    func countsConnections() throws {
        let gate = ConnectionGate(limit: 3, limitPerAddress: 2)
        try gate.enter("a")
        try gate.enter("a")
        #expect(throws: ConnectionGate.LimitReached.self) { try gate.enter("a") }
        try gate.enter("b")
        #expect(throws: ConnectionGate.LimitReached.self) { try gate.enter("c") }
        gate.leave("a")
        try gate.enter("c")
        #expect(gate.refused == 2)
    }

    @Test("A rate limiter admits its burst, then its rate, and returns the time to retry")
    func limitsRates() {
        let limiter = RateLimiter(requestsPerSecond: 10, burst: 5)
        let start = 1_000 * second
        for _ in 0..<5 { #expect(limiter.take(at: start) == nil) }
        #expect(limiter.take(at: start) == second / 10)
        #expect(limiter.take(at: start + second / 10 - 1) == 1)
        #expect(limiter.take(at: start + second / 10) == nil)
        let passed = (0..<1_000).count {
            limiter.take(at: start + second + UInt64($0) * second / 100) == nil
        }
        #expect((100...106).contains(passed), "\(passed) of 1000 within ten seconds")
    }

    @Test("Every limit has a name, and accepts its bounds but no value beyond")
    func namesAll() throws {
        #expect(Limits.named.count == Swift.Mirror(reflecting: Limits()).children.count)
        for (setting, child) in zip(Limits.named, Swift.Mirror(reflecting: Limits()).children) {
            var words = ""
            for character in child.label ?? "" {
                words += character.isUppercase ? "-" + character.lowercased() : String(character)
            }
            #expect(setting.name == words)
            var limits = Limits()
            let text = setting.text(in: limits)
            try limits.set(setting.name, to: text)
            #expect(setting.text(in: limits) == text)
            for bound in [setting.range.lowerBound, setting.range.upperBound] {
                try limits.set(
                    setting.name, to: bound == bound.rounded() ? "\(Int(bound))" : "\(bound)")
            }
            let wrongs = [
                "1e99", "", "x", "+1", "0x10", "1e1", ".5", "5.", "1.5.5", "\u{661}", " 1",
            ]
            for wrong in ["\(setting.range.lowerBound - 1)"] + wrongs {
                #expect(throws: Limits.Invalid.self) { try limits.set(setting.name, to: wrong) }
            }
        }
        var limits = Limits()
        #expect(throws: Limits.Invalid.self) { try limits.set("max-everything", to: "1") }
        let error = #expect(throws: Limits.Invalid.self) { try limits.set("max-resets", to: "9") }
        #expect(
            error?.description
                == "invalid max-resets '9': it must be a whole number from 10 to 2147483647")
    }

    @Test(
        "The connection limits are lowered to the file descriptors, minus a reserve",
        arguments: [
            // The descriptors, and the data and admin connections before and after.
            (1_000_000, 20_000, 256, 20_000, 256), (21_280, 20_000, 256, 20_000, 256),
            (21_279, 20_000, 256, 19_999, 256), (1_000, 20_000, 256, 657, 93),
            (40, 20_000, 256, 26, 4), (16, 20_000, 256, 8, 4), (16, 2, 1, 2, 1),
            (1_000, 10, 20_000, 10, 93),
        ])
    func fitsDescriptors(
        descriptors: Int, data: Int, admin: Int, fittedData: Int, fittedAdmin: Int
    ) {
        var limits = Limits()
        (limits.maxConnections, limits.maxAdminConnections) = (data, admin)
        let isLowered = limits.fit(descriptors: descriptors)
        #expect(limits.maxConnections == fittedData)
        #expect(limits.maxAdminConnections == fittedAdmin)
        #expect(isLowered == ((data, admin) != (fittedData, fittedAdmin)))
    }

    @Test("Limits set by a program are at least zero, and at most those of an operator")
    func limitsAll() {
        var limits = Limits()
        limits.maxHeaderListBytes = .max
        limits.maxBlockingCalls = 0
        limits.idleTimeout = .seconds(Int64.max)
        limits.maxResets = -1
        let bounded = limits.bounded
        #expect(bounded.maxHeaderListBytes == Int(Int32.max))
        #expect(bounded.maxBlockingCalls == 0)
        #expect(bounded.idleTimeout == .seconds(1_000_000_000))
        #expect(bounded.maxResets == 0)
        #expect(bounded.maxContinuations == limits.maxContinuations)
    }
}
