internal import Testing

@testable internal import HTTP2Session

/// Every number of a frame at the bounds of its range, in both roles. The session continues or
/// ends, and never traps.
@Suite struct BoundaryTests {
    typealias Kind = Frame.Kind

    static let values: [UInt32] = [
        0, 1, 2, 99, 127, 128, 16_383, 16_384, 16_385, 65_535, 65_536, 1 << 24 - 1, 1 << 24,
        1 << 31 - 2, 1 << 31 - 1, 1 << 31, 1 << 31 + 1, .max - 1, .max,
    ]

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let frames: @Sendable (UInt32) -> [Frame]
    }

    static let settings: [Case] = (0...10).map { (id: UInt8) in
        Case(testDescription: "SETTINGS \(id)") {
            [Frame(kind: Kind.settings, stream: 0, payload: [0, id] + big($0))]
        }
    }

    static let windows: [Case] = [0, 1, 3].map { (stream: UInt32) in
        Case(testDescription: "WINDOW_UPDATE of stream \(stream)") {
            let frame = Frame(kind: Kind.windowUpdate, stream: stream, payload: big($0))
            return [frame, frame]
        }
    }

    static let others: [Case] = [
        Case(testDescription: "the last stream of GOAWAY") {
            [Frame(kind: Kind.goAway, stream: 0, payload: big($0) + big(0))]
        },
        Case(testDescription: "the code of GOAWAY") {
            [Frame(kind: Kind.goAway, stream: 0, payload: big(1) + big($0))]
        },
        Case(testDescription: "the code of RST_STREAM") {
            [Frame(kind: Kind.reset, stream: 1, payload: big($0))]
        },
        Case(testDescription: "PING and its answer") { value in
            let payload = big(value) + big(value)
            return [
                Frame(kind: Kind.ping, stream: 0, payload: payload),
                Frame(kind: Kind.ping, flags: 1, stream: 0, payload: payload),
            ]
        },
        Case(testDescription: "PRIORITY") {
            [
                Frame(
                    kind: Kind.priority, stream: 1,
                    payload: big($0) + [UInt8(truncatingIfNeeded: $0)])
            ]
        },
        Case(testDescription: "the stream of DATA") {
            [Frame(kind: Kind.data, stream: $0, payload: [1, 2, 3])]
        },
        Case(testDescription: "the stream of HEADERS") {
            Frame.block(HPACK.ok, on: $0)
        },
        Case(testDescription: "the stream of a frame of unknown type") {
            [Frame(kind: 0xbe, flags: 0xff, stream: $0)]
        },
        Case(testDescription: "the length of DATA") {
            [
                Frame(
                    kind: Kind.data, stream: 1,
                    payload: [UInt8](repeating: 1, count: Int(min($0, 65_536))))
            ]
        },
        Case(testDescription: "the padding of DATA") {
            [
                Frame(
                    kind: Kind.data, flags: 8, stream: 1,
                    payload: [UInt8(truncatingIfNeeded: $0), 1, 2])
            ]
        },
        Case(testDescription: "the length of a literal") {
            Frame.block(
                HPACK.ok + [0, 1, 97] + HPACK.integer(Int($0), bits: 7) + [1, 2], on: 1)
        },
        Case(testDescription: "an index") {
            Frame.block(HPACK.integer(Int($0), bits: 7, pattern: 0x80), on: 1)
        },
        Case(testDescription: "the size of the dynamic table") {
            Frame.block(HPACK.integer(Int($0), bits: 5, pattern: 0x20) + HPACK.ok, on: 1)
        },
        Case(testDescription: "a status") {
            Frame.block(HPACK.field(index: 8, Array("\($0)".utf8), .none), on: 1)
        },
        Case(testDescription: "a content-length") {
            Frame.block(HPACK.ok + HPACK.field("content-length", "\($0)"), on: 1)
                + [Frame(kind: Kind.data, flags: 1, stream: 1, payload: [1])]
        },
    ]

    @Test(
        "No number in a frame makes a session trap", arguments: settings + windows + others,
        [HTTP2Session.Role.client, .server])
    func survives(boundary: Case, role: HTTP2Session.Role) throws {
        for value in Self.values {
            let pair = Pair()
            let request = HeaderBlock([
                ":method": "POST", ":scheme": "http", ":authority": "a", ":path": "/a/b",
            ])
            let stream = try #require(pair.client.request(headers: HeaderParts(request)))
            try pair.run()
            let session = role == .client ? pair.client : pair.server
            // Both as one input and byte by byte.
            for size in [Int.max, 1] {
                do {
                    try pair.deliver(boundary.frames(value).bytes, to: session, size) { _ in }
                } catch {
                    #expect(!"\(error)".isEmpty)
                }
                try exercise(session, stream)
                _ = pair.drain(session, [])
            }
        }
    }

    /// Calls that the layer above may make at any time.
    private func exercise(_ session: HTTP2Session, _ stream: HTTP2Stream) throws {
        session.clock = .max
        session.respond(to: stream, headers: HeaderBlock([":status": "200"]))
        session.write(shared: [UInt8](repeating: 1, count: 100_000), to: stream)
        session.notifyWhenDrained(stream, below: .max)
        session.consume(.max, of: stream)
        session.ping(.max)
        session.finish(stream, trailers: HeaderBlock(["grpc-status": "0"]))
        if session.role == .client {
            _ = session.request(
                headers: HeaderParts(HeaderBlock([":method": "GET"])), endStream: true)
        }
        _ = session.peerMaxConcurrentStreams
        _ = session.stalledStreams(since: .max)
        _ = session.takeOverheadFrames()
        for _ in 0..<5 { _ = try? Pair.output(session) }
        session.consumeConnection(.max)
        _ = try? Pair.output(session)
        _ = (session.isActive, session.wantsToSend, session.isSending(stream))
    }
}
