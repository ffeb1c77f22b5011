internal import Testing

@testable internal import HTTP2Session

@Suite struct UnsendableTests {
    private static let request = HeaderBlock([
        ":method": "POST", ":scheme": "http", ":authority": "a", ":path": "/a/b",
    ])
    private static let reason = "a header field exceeds the limit of 65536 bytes"
    private let stream = HTTP2Stream(id: 1, slot: 0)

    /// The client accepts the largest headers that the server may send.
    private func pair() -> Pair {
        Pair {
            $0.maxHeaderListBytes = 1 << 20
            $0.maxContinuations = 100
        } client: {
            $0.maxHeaderListBytes = 32 << 20
            $0.maxHeaderFields = 1_000_000
        }
    }

    private func block(_ pseudo: KeyValuePairs<String, String>, name: Int, value: Int)
        -> HeaderBlock
    {
        var block = HeaderBlock(pseudo)
        block.append(
            String(repeating: "n", count: name), bytes: [UInt8](repeating: 118, count: value))
        return block
    }

    static let sizes = [(name: 1, value: 65_536), (1, 65_537), (65_536, 1), (65_537, 1)]

    @Test("Response headers with a field over 64 KiB reset their stream", arguments: sizes)
    func rejectsHeaders(name: Int, value: Int) throws {
        let pair = pair()
        for _ in 0..<2 {
            _ = pair.client.request(headers: HeaderParts(Self.request), endStream: true)
        }
        try pair.run()
        pair.server.respond(
            to: stream, headers: block([":status": "200"], name: name, value: value))
        pair.server.finish(stream)
        pair.server.respond(
            to: HTTP2Stream(id: 3, slot: 1), headers: HeaderBlock([":status": "204"]),
            endStream: true)
        try pair.run()
        let isSent = max(name, value) <= 65_536
        #expect(pair.serverEvents.contains("unsendable 1: \(Self.reason)") == !isSent)
        #expect(pair.clientEvents.contains("closed 1 INTERNAL_ERROR") == !isSent)
        #expect(pair.clientEvents.contains { $0.hasPrefix("headers 1") } == isSent)
        #expect(pair.clientEvents.contains("headers 3 :status=204 end"))
        #expect(pair.server.openStreams == 0)
    }

    @Test("Trailers with a field over 64 KiB reset their stream", arguments: sizes)
    func rejectsTrailers(name: Int, value: Int) throws {
        let pair = pair()
        _ = pair.client.request(headers: HeaderParts(Self.request), endStream: true)
        try pair.run()
        pair.server.respond(to: stream, headers: HeaderBlock([":status": "200"]))
        pair.server.write(shared: [97, 98], to: stream)
        try pair.run()
        pair.server.write(shared: [99], to: stream)
        pair.server.finish(stream, trailers: block([:], name: name, value: value))
        try pair.run()
        let isSent = max(name, value) <= 65_536
        #expect(
            pair.serverEvents.filter { $0 == "unsendable 1: \(Self.reason)" }.count
                == (isSent ? 0 : 1))
        #expect(pair.clientEvents.contains { $0.hasPrefix("trailers 1") } == isSent)
        #expect(pair.clientEvents.last == "closed 1 \(isSent ? "NO_ERROR" : "INTERNAL_ERROR")")
        #expect(pair.server.openStreams == 0)
    }

    @Test("A request with a field over 64 KiB fails and is not sent", arguments: sizes)
    func rejectsRequests(name: Int, value: Int) throws {
        let pair = pair()
        try pair.run()
        var headers = Self.request
        headers.append(block([:], name: name, value: value))
        let request = try #require(pair.client.request(headers: HeaderParts(headers)))
        pair.client.write(shared: [97], to: request)
        pair.client.finish(request)
        _ = pair.client.request(headers: HeaderParts(Self.request), endStream: true)
        try pair.run()
        let isSent = max(name, value) <= 65_536
        #expect(pair.clientEvents.contains("unsendable 1: \(Self.reason)") == !isSent)
        #expect(pair.clientEvents.contains("closed 1 INTERNAL_ERROR") == !isSent)
        #expect(pair.serverEvents.contains { $0.hasPrefix("headers 1") } == isSent)
        #expect(pair.serverEvents.contains { $0.hasPrefix("headers 3") })
        #expect(pair.client.openStreams == (isSent ? 2 : 1))
        #expect(pair.client.unsentBytes == 0)
    }

    @Test("Headers over 64 KiB in total are sent", arguments: [100_000, 5_000_000])
    func sendsLargeHeaders(size: Int) throws {
        let pair = pair()
        _ = pair.client.request(headers: HeaderParts(Self.request), endStream: true)
        try pair.run()
        var headers = HeaderBlock([":status": "200"])
        for number in 0..<size / 10_000 {
            headers.append("x-\(number)", bytes: [UInt8](repeating: 118, count: 10_000))
        }
        pair.server.respond(to: stream, headers: headers, endStream: true)
        for _ in 0..<10 { try pair.run() }
        let line = try #require(pair.clientEvents.first { $0.hasPrefix("headers 1") })
        #expect(line.utf8.count > size)
    }

    @Test("Headers and trailers over 24 MiB in total reset their stream", arguments: [false, true])
    func limitsAll(isTrailers: Bool) throws {
        let pair = pair()
        _ = pair.client.request(headers: HeaderParts(Self.request), endStream: true)
        try pair.run()
        var large = HeaderBlock(isTrailers ? [:] : [":status": "200"])
        for number in 0..<420 {
            large.append("x-\(number)", bytes: [UInt8](repeating: 118, count: 60_000))
        }
        if isTrailers {
            pair.server.respond(to: stream, headers: HeaderBlock([":status": "200"]))
            pair.server.finish(stream, trailers: large)
        } else {
            pair.server.respond(to: stream, headers: large)
        }
        try pair.run()
        let events = pair.serverEvents.filter { $0.hasPrefix("unsendable") }
        #expect(events == ["unsendable 1: the headers exceed the limit of 25165824 bytes"])
        #expect(pair.clientEvents.last == "closed 1 INTERNAL_ERROR")
        #expect(pair.server.openStreams == 0 && pair.server.isActive)
    }

    @Test("A request over 24 MiB in total fails and is not sent")
    func limitsRequests() throws {
        let pair = pair()
        try pair.run()
        var large = Self.request
        for number in 0..<420 {
            large.append("x-\(number)", bytes: [UInt8](repeating: 118, count: 60_000))
        }
        let request = try #require(pair.client.request(headers: HeaderParts(large)))
        pair.client.finish(request)
        _ = pair.client.request(headers: HeaderParts(Self.request), endStream: true)
        try pair.run()
        #expect(
            pair.clientEvents == [
                "unsendable 1: the headers exceed the limit of 25165824 bytes",
                "closed 1 REFUSED_STREAM",
            ])
        // Not even a RST_STREAM, which the server would treat as one for an idle stream, a
        // connection error.
        #expect(pair.serverEvents.map { $0.prefix(9) } == ["headers 3"])
        #expect(pair.server.isActive && pair.client.isActive)
    }

    @Test("Responses on a stream that the peer has reset are not a failure")
    func ignoresEndedStreams() throws {
        let pair = pair()
        let request = try #require(pair.client.request(headers: HeaderParts(Self.request)))
        try pair.run()
        pair.client.reset(request, .cancel)
        pair.server.respond(to: stream, headers: HeaderBlock([":status": "200"]))
        pair.server.reset(stream, .cancel)
        try pair.run()
        #expect(!pair.serverEvents.contains { $0.hasPrefix("unsendable") })
    }
}
