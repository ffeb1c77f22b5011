internal import HTTP2Session
internal import Messages

/// A server's session that answers every request.
enum SessionFuzz {
    static let preface =
        Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]

    /// Frames: for each a type, flags, a stream, a length, and as many bytes.
    static func frames(from bytes: [UInt8]) -> [UInt8] {
        var frames: [UInt8] = []
        var rest = bytes[...]
        while rest.count >= 4 {
            let head = rest.prefix(4)
            rest = rest.dropFirst(4)
            let (type, flags) = (head[head.startIndex] % 12, head[head.startIndex + 1])
            let (stream, length) = (head[head.startIndex + 2], Int(head[head.startIndex + 3]))
            let payload = rest.prefix(length)
            rest = rest.dropFirst(length)
            frames += [0, 0, UInt8(payload.count), type, flags, 0, 0, 0, stream] + payload
        }
        return frames
    }

    /// The last byte is the size of the pieces.
    static func feed(_ bytes: [UInt8]) {
        let size = Int(bytes.last ?? 0) + 1
        var limits = HTTP2Limits()
        limits.maxConcurrentStreams = 8
        limits.maxHeaderListBytes = 2_048
        let session = HTTP2Session(
            role: .server, limits: limits, allocator: FreeListAllocator(),
            knownNames: KnownNames([":path", "content-type"]))
        let response = HeaderBlock([":status": "200", "content-type": "application/grpc"])
        var start = 0
        var open: Set<Int32> = []
        do {
            while start < bytes.count {
                let piece = Array(bytes[start..<min(bytes.count, start + size)])
                start += size
                var failure: HTTP2SessionError?
                do throws(HTTP2SessionError) {
                    try session.receive(piece.rawSpan)
                } catch {
                    failure = error
                }
                while let event = session.nextEvent() {
                    handle(event, session, response, count: piece.count, &open)
                }
                if let failure { throw failure }
                try send(session)
                while let event = session.nextEvent() {
                    handle(event, session, response, count: 0, &open)
                }
                // The caller would close the connection.
                guard session.isActive else { return }
                // Plus one whose headers are not complete.
                precondition((open.count...open.count + 1).contains(session.openStreams))
            }
        } catch {
            // The caller would do the same.
        }
    }

    private static func handle(
        _ event: HTTP2Event, _ session: HTTP2Session, _ response: HeaderBlock, count: Int,
        _ open: inout Set<Int32>
    ) {
        switch event {
        case .headers(let stream, let endStream):
            open.insert(stream.id)
            _ = session.headers(of: stream).pairs
            session.respond(
                to: stream, headers: response, endStream: endStream && stream.id % 4 == 1)
            session.write(shared: [1, 2, 3, 4, 5], to: stream)
        case .headersTooLarge(let stream, _, _):
            open.insert(stream.id)
            session.respond(to: stream, headers: response, endStream: true)
        case .trailers(let stream):
            session.finish(stream, trailers: HeaderBlock(["grpc-status": "0"]))
        case .data(let stream, let range, let endStream):
            precondition(range.upperBound <= count)
            session.consumeConnection(range.count)
            session.consume(range.count, of: stream)
            if endStream { session.finish(stream, trailers: HeaderBlock(["grpc-status": "0"])) }
        case .closed(let stream, _): open.remove(stream.id)
        case .drained, .unsendable, .goAway, .settings, .pinged, .pingAcknowledged: break
        }
    }

    static func send(_ session: HTTP2Session) throws {
        var hasMore = true
        while hasMore {
            _ = unsafe try [UInt8](unsafeUninitializedCapacity: 1 << 16) { room, count in
                // Invariant: `send` writes at most `room` bytes, and returns the number.
                let sent = unsafe try session.send(into: UnsafeMutableRawBufferPointer(room))
                count = sent.count
                hasMore = sent.hasMore
            }
        }
    }
}
