internal import Testing

@testable internal import HTTP2Session

@Suite struct HTTP2SessionTests {
    private static let request = HeaderBlock([
        ":method": "POST", ":scheme": "http", ":authority": "a", ":path": "/a/b", "x-key": "k",
    ])
    private static let response = HeaderBlock([":status": "200"])

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("A request and its response arrive as events", arguments: [Int.max, 1, 7])
    func carriesRequestAndResponse(piece: Int) throws {
        let pair = Pair()
        let stream = try #require(pair.client.request(headers: HeaderParts(Self.request)))
        pair.client.write(bytes("hi").span.bytesForTest, to: stream)
        pair.client.finish(stream)
        try pair.run(piece: piece)
        #expect(
            pair.serverEvents.first
                == "headers 1 :method=POST :scheme=http :authority=a :path=/a/b x-key=k")
        let body = pair.serverEvents.filter { $0.hasPrefix("data") }
        #expect(
            body.map { $0.split(separator: " ").dropFirst(2).first ?? "" }.joined().contains("h"))
        #expect(body.last?.hasSuffix("end") == true)

        let answer = HTTP2Stream(id: 1, slot: 0)
        pair.server.respond(to: answer, headers: Self.response)
        pair.server.write(bytes("yes").span.bytesForTest, to: answer)
        pair.server.finish(answer, trailers: HeaderBlock(["grpc-status": "0"]))
        try pair.run()
        #expect(
            pair.clientEvents == [
                "headers 1 :status=200", "data 1 yes", "trailers 1 grpc-status=0",
                "closed 1 NO_ERROR",
            ])
        #expect(pair.serverEvents.last == "closed 1 NO_ERROR")
        #expect(pair.server.openStreams == 0)
        #expect(pair.client.openStreams == 0)
    }

    @Test("Headers and trailers that arrive in one batch are separate events")
    func keepsHeadersFromTrailers() throws {
        let pair = Pair()
        _ = pair.client.request(headers: HeaderParts(Self.request), endStream: true)
        try pair.run()
        let stream = HTTP2Stream(id: 1, slot: 0)
        pair.server.respond(to: stream, headers: Self.response)
        pair.server.finish(stream, trailers: HeaderBlock(["a": "1"]))
        try pair.run()
        #expect(pair.clientEvents.prefix(2) == ["headers 1 :status=200", "trailers 1 a=1"])
    }

    @Test("A body without credit stops at the window, and continues with credit")
    func appliesBackpressure() throws {
        let pair = Pair { $0.streamWindowBytes = 65_535 }
        pair.credits = false
        let stream = try #require(pair.client.request(headers: HeaderParts(Self.request)))
        pair.client.write([UInt8](repeating: 120, count: 100_000).span.bytesForTest, to: stream)
        pair.client.finish(stream)
        try pair.run()
        #expect(pair.client.unsentBytes(of: stream) == 100_000 - 65_535)
        pair.server.consume(65_535, of: HTTP2Stream(id: 1, slot: 0))
        try pair.run()
        #expect(pair.client.unsentBytes(of: stream) == 0)
        #expect(pair.serverEvents.last?.hasSuffix("end") == true)
    }

    @Test("A writer receives one event when its buffer has drained")
    func reportsDrained() throws {
        let pair = Pair()
        let stream = try #require(pair.client.request(headers: HeaderParts(Self.request)))
        pair.client.write([UInt8](repeating: 120, count: 50_000).span.bytesForTest, to: stream)
        pair.client.notifyWhenDrained(stream, below: 1_000)
        try pair.run()
        #expect(pair.clientEvents.filter { $0 == "drained 1" }.count == 1)
    }

    @Test("A header list at the limit is accepted, a larger one is reported and not kept")
    func holdsHeaderListLimit() throws {
        // RFC 9113 section 6.5.2: name + value + 32 for each field.
        let own = Self.request.pairs.reduce(0) { $0 + "\($1.name)\($1.value)".utf8.count + 32 }
        for (extra, tooLarge) in [(0, false), (1, true)] {
            let pair = Pair { $0.maxHeaderListBytes = own + 500 }
            var headers = Self.request
            headers.append("x", String(repeating: "v", count: 500 - 33 + extra))
            _ = pair.client.request(headers: HeaderParts(headers), endStream: true)
            try pair.run()
            let line = "headers too large 1: \(own + 500) bytes"
            #expect(pair.serverEvents.contains(line) == tooLarge)
            #expect(pair.serverEvents.contains { $0.hasPrefix("headers 1") } == !tooLarge)
        }
    }

    @Test("Any failed allocation is reported, and the session does not trap")
    func survivesAllocationFailures() throws {
        var ends: [String: Int] = [:]
        for allocations in 0..<10_000 {
            let pair = Pair(serverMemory: allocations)
            do {
                try exchange(over: pair)
                ends["done", default: 0] += 1
                break
            } catch {
                ends["out of memory", default: 0] += 1
            }
            // The error is permanent.
            #expect(throws: HTTP2SessionError.self) { try Pair.output(pair.server) }
            #expect(!pair.server.isActive && !pair.server.wantsToSend)
        }
        #expect(ends["done"] == 1)
        #expect(ends["out of memory"] ?? 0 > 20, "\(ends)")
    }

    /// Requests, bodies, trailers, a ping, a reset and a drain.
    private func exchange(over pair: Pair) throws {
        for number in 0..<3 {
            let stream = pair.client.request(headers: HeaderParts(Self.request))
            guard let stream else { continue }
            pair.client.write([UInt8](repeating: 1, count: 1_000).span.bytesForTest, to: stream)
            if number == 1 {
                pair.client.reset(stream, .cancel)
            } else {
                pair.client.finish(stream)
            }
        }
        try pair.run()
        for id in [Int32(1), 5] {
            let stream = HTTP2Stream(id: id, slot: id == 1 ? 0 : 1)
            pair.server.respond(to: stream, headers: Self.response)
            pair.server.write([UInt8](repeating: 2, count: 1_000).span.bytesForTest, to: stream)
            pair.server.finish(stream, trailers: HeaderBlock(["grpc-status": "0"]))
        }
        pair.server.ping(1)
        try pair.run()
        pair.server.announceShutdown()
        try pair.run()
        pair.server.goAway(.enhanceYourCalm, reason: "enough")
        try pair.run()
    }

    @Test("A drain lets known streams finish, then refuses new ones")
    func drains() throws {
        let pair = Pair()
        _ = pair.client.request(headers: HeaderParts(Self.request))
        try pair.run()
        pair.server.announceShutdown()
        pair.server.ping(7)
        try pair.run()
        #expect(pair.clientEvents == ["pinged", "goaway 2147483647 NO_ERROR"])
        #expect(pair.serverEvents.last == "ping 7")
        pair.server.refuseNewStreams()
        try pair.run()
        #expect(pair.clientEvents.last == "goaway 1 NO_ERROR")
        let stream = HTTP2Stream(id: 1, slot: 0)
        pair.server.respond(to: stream, headers: Self.response, endStream: true)
        try pair.run()
        #expect(pair.clientEvents.contains("headers 1 :status=200 end"))
        #expect(!pair.server.isActive)
    }

    @Test("A response before the end of the request resets the stream without an error")
    func endsEarly() throws {
        let pair = Pair()
        let stream = try #require(pair.client.request(headers: HeaderParts(Self.request)))
        try pair.run()
        pair.server.respond(
            to: HTTP2Stream(id: 1, slot: 0), headers: Self.response, endStream: true)
        try pair.run()
        #expect(pair.clientEvents == ["headers 1 :status=200 end", "closed 1 NO_ERROR"])
        pair.client.write(bytes("late").span.bytesForTest, to: stream)
        try pair.run()
        #expect(pair.server.openStreams == 0)
    }

    @Test("A reset reaches the other side with its code")
    func resets() throws {
        let pair = Pair()
        let stream = try #require(pair.client.request(headers: HeaderParts(Self.request)))
        try pair.run()
        pair.client.reset(stream, .cancel)
        try pair.run()
        #expect(pair.serverEvents.last == "closed 1 CANCEL")
    }

    @Test("Slots are reused, and commands for closed streams have no effect")
    func reusesSlots() throws {
        let pair = Pair()
        for id in stride(from: Int32(1), through: 9, by: 2) {
            let stream = try #require(
                pair.client.request(headers: HeaderParts(Self.request), endStream: true))
            #expect(stream == HTTP2Stream(id: id, slot: 0))
            try pair.run()
            pair.server.write(
                bytes("stale").span.bytesForTest, to: HTTP2Stream(id: id - 2, slot: 0))
            pair.server.respond(
                to: HTTP2Stream(id: id, slot: 0), headers: Self.response, endStream: true)
            try pair.run()
        }
        #expect(!pair.clientEvents.contains { $0.contains("stale") })
    }

    @Test(
        "An invalid preface is distinguished from other errors",
        arguments: [
            "GET / HTTP/1.1\r\n\r\n", "\u{16}\u{3}\u{1}garbage garbage garbage", "PRI * HTTP/1.1",
        ])
    func rejectsForeignProtocols(text: String) {
        let pair = Pair()
        #expect(throws: HTTP2SessionError.notHTTP2) {
            try pair.server.receive(bytes(text).span.bytesForTest)
        }
    }

    @Test("Repeated stream resets end the connection (CVE-2023-44487)")
    func endsRapidReset() throws {
        let pair = Pair {
            $0.resetBurst = 10
            $0.resetsPerSecond = 1
        }
        try pair.run()
        for _ in 0..<50 {
            let stream = try #require(
                pair.client.request(headers: HeaderParts(Self.request), endStream: true))
            _ = try? pair.run()
            pair.client.reset(stream, .cancel)
            _ = try? pair.run()
            if pair.clientEvents.contains(where: { $0.hasPrefix("goaway") }) { break }
        }
        #expect(pair.clientEvents.contains { $0.hasPrefix("goaway") })
        #expect(pair.serverEvents.filter { $0.hasPrefix("headers") }.count < 20)
    }

    @Test("More CONTINUATION frames than the limit end the connection (CVE-2024-28182)")
    func endsContinuationFlood() throws {
        let pair = Pair { $0.maxContinuations = 8 }
        _ = try Pair.output(pair.server)
        var input = bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + [0, 0, 0, 4, 0, 0, 0, 0, 0]
        // HEADERS without END_HEADERS on stream 1, then empty CONTINUATION frames.
        input += [0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]
        for _ in 0..<9 { input += [0, 0, 1, 9, 0, 0, 0, 0, 1, 0x84] }
        #expect(throws: HTTP2SessionError.self) {
            try pair.server.receive(input.span.bytesForTest)
        }
    }

    @Test("A session survives any input without crashing", arguments: 0..<40)
    func survivesMutations(seed: Int) throws {
        let source = Pair()
        let stream = try #require(source.client.request(headers: HeaderParts(Self.request)))
        source.client.write(bytes("some body").span.bytesForTest, to: stream)
        source.client.finish(stream)
        var input = try Pair.output(source.client)
        var state = UInt64(seed) &+ 99
        for _ in 0..<4 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            input[Int(state >> 33) % input.count] = UInt8(truncatingIfNeeded: state >> 20)
        }
        let pair = Pair()
        do {
            try pair.server.receive(input.span.bytesForTest)
        } catch {
            #expect(!"\(error)".isEmpty)
        }
        while pair.server.nextEvent() != nil {}
        _ = try? Pair.output(pair.server)
    }
}
