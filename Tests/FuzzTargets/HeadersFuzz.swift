internal import Messages

@testable internal import HTTP2Session

/// A client's session and its guard, which receive a server's header blocks.
enum HeadersFuzz {
    /// Long frames from a short input: for each a type, flags, a stream, a length of two bytes, the
    /// number of payload bytes that follow, and these; the last one is repeated.
    static func frames(from bytes: ArraySlice<UInt8>) -> [UInt8] {
        let kinds: [UInt8] = [1, 9, 9, 9, 0, 1, 9, 4]
        var frames: [UInt8] = []
        var rest = bytes
        while rest.count >= 6, frames.count < 1 << 18 {
            let head = Array(rest.prefix(6))
            let payload = rest.dropFirst(6).prefix(Int(head[5]))
            rest = rest.dropFirst(6 + payload.count)
            let length = max(payload.count, Int(head[3]) << 8 | Int(head[4]))
            frames += [
                0, UInt8(length >> 8), UInt8(length & 0xff), kinds[Int(head[0] & 7)], head[1],
            ]
            frames += [0, 0, 0, head[2] % 8] + payload
            frames += repeatElement(payload.last ?? 0, count: length - payload.count)
        }
        return frames
    }

    /// The first byte is the size of the pieces.
    static func feed(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        let input = frames(from: bytes.dropFirst())
        let size = (Int(first) + 1) * (first % 2 == 0 ? 1 : 200)
        let whole = guarded(input, pieces: max(1, input.count))
        precondition(guarded(input, pieces: size) == whole)
        receive(input, pieces: size)
    }

    /// The bytes that the guard passes to nghttp2.
    private static func guarded(_ input: [UInt8], pieces size: Int) -> [UInt8] {
        var frameGuard = FrameGuard(role: .client)
        var output: [UInt8] = []
        for start in stride(from: 0, to: input.count, by: size) {
            let piece = Array(input[start...].prefix(size))
            var position = 0
            loop: while position < piece.count {
                switch frameGuard.next(piece.span, from: &position) {
                case .pass(let range): output += piece[range]
                case .passOutput: output += frameGuard.output
                case .needsMore: break loop
                }
            }
        }
        return output
    }

    /// A client with four requests. No event may refer to a stream that is not open.
    private static func receive(_ input: [UInt8], pieces size: Int) {
        let session = HTTP2Session(
            role: .client, limits: HTTP2Limits(), allocator: FreeListAllocator(),
            knownNames: KnownNames([":status"]))
        let request = HeaderBlock([
            ":method": "POST", ":scheme": "http", ":authority": "a", ":path": "/a/b",
        ])
        var open: Set<Int32> = []
        for _ in 0..<4 {
            let stream = session.request(headers: HeaderParts(request), endStream: true)
            if let stream { open.insert(stream.id) }
        }
        let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]
        do {
            try session.receive(settings.rawSpan)
            try SessionFuzz.send(session)
            for start in stride(from: 0, to: input.count, by: size) {
                let piece = Array(input[start...].prefix(size))
                try session.receive(piece.rawSpan)
                drain(session, &open)
                try SessionFuzz.send(session)
                drain(session, &open)
                guard session.isActive else { return }
                precondition(session.openStreams == open.count)
            }
        } catch {
            // The caller would close the connection.
        }
    }

    private static func drain(_ session: HTTP2Session, _ open: inout Set<Int32>) {
        while let event = session.nextEvent() {
            switch event {
            case .headers(let stream, _):
                precondition(open.contains(stream.id))
                _ = session.headers(of: stream).pairs
            case .trailers(let stream), .headersTooLarge(let stream, _, _), .data(let stream, _, _):
                precondition(open.contains(stream.id))
            case .closed(let stream, _): precondition(open.remove(stream.id) != nil)
            default: break
            }
        }
    }
}
