internal import Testing

@testable internal import HTTP2Session

/// A server and a client session, connected by arrays of bytes.
final class Pair {
    let server: HTTP2Session
    let client: HTTP2Session
    /// The events, one line each.
    var serverEvents: [String] = []
    var clientEvents: [String] = []
    /// Whether received bodies are credited back at once.
    var credits = true

    /// - Parameter serverMemory: the number of allocations that succeed in the server; nil for all.
    init(
        serverMemory: Int? = nil, _ configure: (inout HTTP2Limits) -> Void = { _ in },
        client configureClient: (inout HTTP2Limits) -> Void = { _ in }
    ) {
        var limits = HTTP2Limits()
        configure(&limits)
        var clientLimits = HTTP2Limits()
        configureClient(&clientLimits)
        server = HTTP2Session(
            role: .server, limits: limits,
            allocator: FreeListAllocator(failingAfter: serverMemory),
            knownNames: KnownNames([":path", "x-key"]))
        client = HTTP2Session(
            role: .client, limits: clientLimits, allocator: FreeListAllocator(),
            knownNames: KnownNames([":status"]))
    }

    /// Transfers bytes in both directions until neither side has more to send.
    func run(piece: Int = .max) throws {
        for _ in 0..<10_000 {
            let up = try Self.output(client)
            clientEvents += drain(client, [])
            try deliver(up, to: server, piece) { serverEvents += $0 }
            let down = try Self.output(server)
            serverEvents += drain(server, [])
            try deliver(down, to: client, piece) { clientEvents += $0 }
            if up.isEmpty, down.isEmpty { return }
        }
        Issue.record("the sessions do not stop sending")
    }

    static func output(_ session: HTTP2Session) throws -> [UInt8] {
        unsafe try [UInt8](unsafeUninitializedCapacity: 1 << 20) { room, count in
            count = unsafe try session.send(into: UnsafeMutableRawBufferPointer(room)).count
        }
    }

    func deliver(
        _ bytes: [UInt8], to session: HTTP2Session, _ piece: Int, _ note: ([String]) -> Void
    ) throws {
        var position = 0
        while position < bytes.count {
            let end = min(
                bytes.count,
                position.addingReportingOverflow(piece).overflow ? bytes.count : position + piece)
            let part = Array(bytes[position..<end])
            try session.receive(part.span.bytesForTest)
            note(drain(session, part))
            position = end
        }
    }

    func drain(_ session: HTTP2Session, _ input: [UInt8]) -> [String] {
        var lines: [String] = []
        while let event = session.nextEvent() {
            switch event {
            case .headers(let stream, let end):
                let fields = session.headers(of: stream)
                let list = fields.pairs.map { "\($0.name)=\($0.value)" }
                lines.append(
                    "headers \(stream.id) \(list.joined(separator: " "))\(end ? " end" : "")")
            case .trailers(let stream):
                let fields = session.trailers(of: stream)
                let list = fields.pairs.map { "\($0.name)=\($0.value)" }
                lines.append("trailers \(stream.id) \(list.joined(separator: " "))")
            case .headersTooLarge(let stream, let limit, let isTrailers):
                lines.append(
                    "\(isTrailers ? "trailers" : "headers") too large \(stream.id): \(limit)")
            case .unsendable(let stream, let reason):
                lines.append("unsendable \(stream.id): \(reason)")
            case .data(let stream, let range, let end):
                session.consumeConnection(range.count)
                if credits { session.consume(range.count, of: stream) }
                let text = String(decoding: input[range], as: UTF8.self)
                let shown = text.count > 20 ? "\(text.count) bytes" : text
                lines.append("data \(stream.id) \(shown)\(end ? " end" : "")")
            case .drained(let stream): lines.append("drained \(stream.id)")
            case .closed(let stream, let code): lines.append("closed \(stream.id) \(code)")
            case .goAway(let last, let code): lines.append("goaway \(last) \(code)")
            case .settings: break
            case .pingAcknowledged(let value): lines.append("ping \(value)")
            case .pinged: lines.append("pinged")
            }
        }
        return lines
    }
}

extension Span<UInt8> {
    /// The same memory as raw bytes. Invariant: a UInt8 has no padding.
    var bytesForTest: RawSpan {
        @_lifetime(copy self)
        get { unsafe bytes }
    }
}
