internal import Testing

@testable internal import HTTP2Session

/// A session whose peer is a script of frames.
struct Scripted {
    static let request = HeaderBlock([
        ":method": "POST", ":scheme": "http", ":authority": "a", ":path": "/a/b",
    ])

    let pair: Pair
    let session: HTTP2Session
    var events: [String] = []

    /// A client with open requests on the streams 1, 3, 5 and so on.
    init(requests: Int, _ configure: (inout HTTP2Limits) -> Void = { _ in }) throws {
        pair = Pair(client: configure)
        session = pair.client
        for _ in 0..<requests {
            _ = session.request(headers: HeaderParts(Self.request), endStream: true)
        }
        try receive([.settings])
    }

    /// A server that has read the preface.
    init(server configure: (inout HTTP2Limits) -> Void) throws {
        pair = Pair(configure)
        session = pair.server
        let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Frame.settings.bytes
        try session.receive(preface.span.bytesForTest)
        _ = pair.drain(session, [])
        _ = try Pair.output(session)
    }

    /// The frames that the session has sent.
    @discardableResult
    mutating func receive(_ frames: [Frame], piece: Int = 65_536) throws -> [Frame] {
        var seen: [String] = []
        try pair.deliver(frames.bytes, to: session, piece) { seen += $0 }
        let sent = Frame.all(in: try Pair.output(session))
        events += seen + pair.drain(session, [])
        return sent
    }
}

/// A header block over a limit, and the limit that it exceeds when the others have their defaults.
struct LargeBlock: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let block: [UInt8]
    let limit: String

    static func fields(_ count: Int, _ bytes: Int) -> [UInt8] {
        (0..<count).flatMap {
            HPACK.field(Array("x-\($0)".utf8), [UInt8](repeating: 97, count: bytes), .none)
        }
    }

    /// One field of 4 KB in the dynamic table, referenced many times.
    static func bomb(_ count: Int) -> [UInt8] {
        HPACK.field(Array("x-bomb".utf8), [UInt8](repeating: 97, count: 3_900))
            + [UInt8](repeating: 0xbe, count: count)
    }

    static let all = [
        Self(
            testDescription: "one byte over the limit", block: fields(1, 16_384 - 34),
            limit: "16384 bytes"),
        Self(testDescription: "60 kB", block: fields(4, 15_000), limit: "16384 bytes"),
        Self(testDescription: "129 fields", block: fields(129, 1), limit: "128 fields"),
        Self(testDescription: "10,000 fields", block: fields(10_000, 1), limit: "128 fields"),
        Self(testDescription: "an HPACK bomb", block: bomb(100_000), limit: "16384 bytes"),
        Self(testDescription: "a field of 70 kB", block: fields(1, 70_000), limit: "16384 bytes"),
        Self(testDescription: "4 MiB", block: fields(300, 14_000), limit: "16384 bytes"),
        Self(
            testDescription: "4 MiB in fields over 64 KiB", block: fields(42, 100_000),
            limit: "16384 bytes"),
    ]
}

@Suite struct HeaderLimitTests {
    typealias Kind = Frame.Kind
    typealias Flag = Frame.Flag

    static let status = HPACK.field("grpc-status", "0")
    /// A whole response on a stream.
    static func response(_ stream: UInt32) -> [Frame] {
        Frame.block(HPACK.ok, on: stream)
            + Frame.block(status, on: stream, flags: Flag.endStream)
    }

    @Test(
        "Large response headers or trailers end their call, once, and no other",
        arguments: LargeBlock.all, [false, true])
    func endsOneCall(large: LargeBlock, isTrailers: Bool) throws {
        var client = try Scripted(requests: 2)
        var frames: [Frame] = []
        if isTrailers {
            frames += Frame.block(HPACK.ok, on: 1)
            frames.append(Frame(kind: Kind.data, stream: 1, payload: [97, 98]))
            frames += Frame.block(large.block, on: 1, flags: Flag.endStream)
        } else {
            frames += Frame.block(HPACK.ok + large.block, on: 1)
            frames.append(Frame(kind: Kind.data, flags: Flag.endStream, stream: 1, payload: [97]))
        }
        let sent = try client.receive(frames + Self.response(3), piece: 50_000)
        let what = isTrailers ? "trailers" : "headers"
        #expect(
            client.events == (isTrailers ? ["headers 1 :status=200", "data 1 ab"] : [])
                + [
                    "\(what) too large 1: \(large.limit)", "headers 3 :status=200",
                    "trailers 3 grpc-status=0", "closed 3 NO_ERROR", "closed 1 CANCEL",
                ].sorted { first, _ in first.contains("too large") })
        let resets = sent.filter { $0.kind == Kind.reset }
        #expect(resets == [Frame(kind: Kind.reset, stream: 1, payload: big(8))])
        #expect(client.session.openStreams == 0)
    }

    @Test(
        "A block at a limit is accepted, and the error above it names the limit", arguments: [0, 1])
    func namesLimits(extra: Int) throws {
        let field = Array("x-a".utf8)
        let cases: [(block: [UInt8], limit: String)] = [
            (
                // RFC 9113 section 6.5.2: 42 bytes of `:status`, 3 times 35 of names.
                LargeBlock.fields(2, 65_000)
                    + HPACK.field(
                        field, [UInt8](repeating: 97, count: 70_000 - 42 - 105 + extra - 10_000))
                    + HPACK.field(field, [UInt8](repeating: 97, count: 10_000 - 35)),
                "200000 bytes"
            ),
            (LargeBlock.fields(199 + extra, 1), "200 fields"),
            (
                HPACK.field(field, [UInt8](repeating: 97, count: 65_536 + extra)),
                "65536 bytes per field"
            ),
            (
                HPACK.field([UInt8](repeating: 97, count: 65_536 + extra), field),
                "65536 bytes per field"
            ),
        ]
        for (block, limit) in cases {
            var client = try Scripted(requests: 1) {
                $0.maxHeaderListBytes = 200_000
                $0.maxHeaderFields = 200
            }
            try client.receive(Frame.block(HPACK.ok + block, on: 1))
            let isTooLarge = client.events.contains("headers too large 1: \(limit)")
            #expect(isTooLarge == (extra == 1), "\(limit) \(client.events.first?.prefix(80) ?? "")")
            #expect(client.events.contains { $0.hasPrefix("headers 1") } == (extra == 0))
        }
    }

    @Test(
        "Headers after a replaced literal decode correctly",
        arguments: HPACK.Indexing.allCases)
    func keepsDynamicTable(indexing: HPACK.Indexing) throws {
        let long = [UInt8](repeating: 97, count: 70_000)
        var client = try Scripted(requests: 4)
        // Only the peer knows the content of the table after the long field.
        let isEmptied = indexing == .incremental
        try client.receive(
            Frame.block(HPACK.ok + HPACK.field("x-a", "1", .incremental), on: 1)
                + Frame.block(HPACK.ok + HPACK.field(Array("x-long".utf8), long, indexing), on: 3)
                + Frame.block(HPACK.ok + HPACK.field("x-b", "2", .incremental), on: 5)
                + Frame.block(HPACK.ok + HPACK.newest + (isEmptied ? [] : [0xbf]), on: 7))
        #expect(client.events.contains("headers 7 :status=200 x-b=2\(isEmptied ? "" : " x-a=1")"))
        #expect(client.events.contains("headers too large 3: 16384 bytes"))
        // An index after the table's end, because nghttp2's table is also empty.
        try client.receive(Frame.block([0xbf + (isEmptied ? 0 : 1)], on: 7))
        #expect(!client.session.isActive)
    }

    @Test("A server with over 2,048 CONTINUATION frames ends the connection", arguments: [0, 1])
    func limitsResponseContinuations(extra: Int) throws {
        var client = try Scripted(requests: 2)
        var frames = [Frame(kind: Kind.headers, stream: 1, payload: HPACK.ok)]
        frames += Array(repeating: Frame(kind: Kind.continuation, stream: 1), count: 2_047 + extra)
        frames.append(Frame(kind: Kind.continuation, flags: Flag.endHeaders, stream: 1))
        if extra == 0 {
            try client.receive(frames + Self.response(3), piece: 100)
            #expect(client.events.contains("trailers 3 grpc-status=0"))
        } else {
            #expect(throws: HTTP2SessionError.self) { try client.receive(frames, piece: 100) }
        }
    }

    @Test("A CONTINUATION frame over the largest size ends the connection")
    func limitsFrameSize() throws {
        var client = try Scripted(requests: 1)
        let sent = try client.receive([
            Frame(kind: Kind.headers, stream: 1, payload: HPACK.ok),
            Frame(
                kind: Kind.continuation, flags: Flag.endHeaders, stream: 1,
                payload: [UInt8](repeating: 0x88, count: 16_385)),
        ])
        let goAway = sent.first { $0.kind == Kind.goAway }
        #expect(goAway?.payload.dropFirst(4).prefix(4).elementsEqual(big(6)) == true)
        #expect(!client.session.isActive)
    }

    private static let requestBlock =
        [0x83, 0x86] + HPACK.field(index: 4, Array("/a/b".utf8), .none)
        + HPACK.field(index: 1, [97], .none)

    @Test("A server may answer headers over the limit, but not an HPACK bomb")
    func answersOrResets() throws {
        for (block, isReset) in [
            (LargeBlock.fields(4, 15_000), false), (LargeBlock.fields(129, 1), false),
            (LargeBlock.fields(1, 70_000), false), (LargeBlock.fields(5, 15_000), true),
            (LargeBlock.bomb(50_000), true),
        ] {
            var server = try Scripted(server: { _ in })
            let stream = HTTP2Stream(id: 1, slot: 0)
            try server.receive(Frame.block(Self.requestBlock + block, on: 1))
            #expect(server.events.filter { $0.contains("too large 1") }.count == 1)
            #expect(server.events.contains("closed 1 ENHANCE_YOUR_CALM") == isReset)
            server.session.respond(
                to: stream, headers: HeaderBlock([":status": "431"]), endStream: true)
            let sent = try server.receive([])
            #expect(sent.contains { $0.kind == Kind.headers } == !isReset)
            // The connection continues.
            try server.receive(Frame.block(Self.requestBlock, on: 3, flags: Flag.endStream))
            #expect(server.events.contains { $0.hasPrefix("headers 3") })
        }
    }

    @Test("Trailers after headers over the limit are not a second request")
    func ignoresLaterBlocks() throws {
        var server = try Scripted(server: { _ in })
        try server.receive(
            Frame.block(Self.requestBlock + LargeBlock.fields(129, 1), on: 1)
                + Frame.block(HPACK.field("x", "y"), on: 1, flags: Flag.endStream))
        #expect(server.events == ["headers too large 1: 128 fields"])
    }

    @Test("Trailers over the limit of a server are reported", arguments: [0, 1])
    func reportsTrailers(extra: Int) throws {
        var server = try Scripted(server: { _ in })
        try server.receive(
            Frame.block(Self.requestBlock, on: 1)
                + Frame.block(LargeBlock.fields(128 + extra, 1), on: 1, flags: Flag.endStream)
                + Frame.block(Self.requestBlock, on: 3))
        let isTooLarge = server.events.contains("trailers too large 1: 128 fields")
        #expect(isTooLarge == (extra == 1))
        #expect(server.events.contains { $0.hasPrefix("trailers 1") } == (extra == 0))
        #expect(server.events.contains { $0.hasPrefix("headers 3") })
    }

    @Test("Each role announces its own limit")
    func announcesLimit() throws {
        let pair = Pair {
            $0.maxHeaderListBytes = 20_000
        } client: {
            $0.maxHeaderListBytes = 50_000
        }
        for (session, limit) in [(pair.client, 50_000), (pair.server, 20_000)] {
            let bytes = try Pair.output(session)
            let frames = Frame.all(in: session.role == .client ? Array(bytes.dropFirst(24)) : bytes)
            let entry = [0, 6] + big(UInt32(limit))
            #expect(frames.first?.payload.dropFirst(6).prefix(6).elementsEqual(entry) == true)
        }
    }

    @Test(
        "Spaces and tabs around a value are removed, in both directions",
        arguments: [
            ("v ", "v"), (" v", "v"), ("\t v\t w \t", "v\t w"), (" ", ""), ("\t", ""), ("", ""),
        ])
    func trimsValues(sent: String, received: String) throws {
        // Sent by another implementation.
        var client = try Scripted(requests: 1)
        try client.receive(
            Frame.block(HPACK.ok + HPACK.field("x-note", sent), on: 1)
                + Frame.block(HPACK.field("x-note", sent), on: 1, flags: Flag.endStream))
        #expect(client.events.contains("headers 1 :status=200 x-note=\(received)"))
        #expect(client.events.contains("trailers 1 x-note=\(received)"))
        var server = try Scripted(server: { _ in })
        try server.receive(Frame.block(Self.requestBlock + HPACK.field("x-note", sent), on: 1))
        #expect(server.events.first?.hasSuffix(" x-note=\(received)") == true)
        // Sent by this one.
        let stream = HTTP2Stream(id: 1, slot: 0)
        server.session.respond(
            to: stream, headers: HeaderBlock([":status": "200", "x-note": sent]), endStream: true)
        let headers = try server.receive([]).first { $0.kind == Kind.headers }
        var reader = try Scripted(requests: 1)
        try reader.receive([try #require(headers)])
        #expect(reader.events.contains("headers 1 :status=200 x-note=\(received) end"))
    }
}
