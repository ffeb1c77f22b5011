/// The unsent body of one stream: bytes, then optional trailers, then the end.
///
/// ```
///   bytes [ sent | own bytes ]  parts [ shared bytes ][ ... ]
///                head
/// ```
struct OutboundBody {
    /// Shared pieces up to this size are copied, which is cheaper than retaining them.
    private static let smallPieceBytes = 2 << 10
    private static let keptCapacity = 64 << 10

    private var bytes: [UInt8] = []
    private var head = 0
    /// The pieces after `bytes`, oldest first.
    private var parts: [[UInt8]] = []
    private var nextPart = 0
    private var partBytes = 0
    private(set) var hasEnded = false
    /// The trailers at the end of the body; the storage is reused.
    var trailers = HeaderBlock()
    /// The trailers at the end of the body instead of `trailers`.
    var preparedTrailers: PreparedHeaders?
    /// Whether nghttp2 has deferred the stream for lack of bytes, and must be resumed.
    var isDeferred = false
    /// The session reports an event when fewer than this many bytes remain; nil if not requested.
    var drainMark: Int?

    var count: Int { bytes.count - head + partBytes }

    mutating func append(_ span: RawSpan) {
        guard partBytes == 0 else {
            // Invariant: the span is read only within the closure.
            return append(part: unsafe span.withUnsafeBytes { unsafe Array($0) })
        }
        // Invariant: the span is read only within the closure.
        unsafe span.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    /// Appends shared bytes, and copies them only if they are few.
    mutating func append(shared piece: [UInt8]) {
        if partBytes == 0, piece.count <= Self.smallPieceBytes {
            bytes += piece
        } else {
            append(part: piece)
        }
    }

    private mutating func append(part: [UInt8]) {
        guard !part.isEmpty else { return }
        parts.append(part)
        partBytes += part.count
    }

    mutating func end() { hasEnded = true }

    mutating func end(with span: RawSpan, _ trailers: PreparedHeaders) {
        append(span)
        preparedTrailers = trailers
        hasEnded = true
    }

    /// Moves up to `room` bytes to the destination.
    mutating func take(into destination: UnsafeMutablePointer<UInt8>, room: Int) -> Int {
        var taken = unsafe takeOwn(into: destination, room: room)
        while taken < room, nextPart < parts.count {
            // The part replaces the bytes, which were all sent.
            bytes = parts[nextPart]
            parts[nextPart] = []
            partBytes -= bytes.count
            nextPart += 1
            // Invariant: `taken` is less than `room`, so the destination has space left.
            taken += unsafe takeOwn(into: destination + taken, room: room - taken)
        }
        if nextPart == parts.count, nextPart > 0 {
            parts.removeAll(keepingCapacity: true)
            nextPart = 0
        }
        return taken
    }

    private mutating func takeOwn(
        into destination: UnsafeMutablePointer<UInt8>, room: Int
    ) -> Int {
        let taken = min(room, bytes.count - head)
        if taken > 0 {
            // Invariant: `taken` bytes exist from `head` on, and the destination has `room` bytes.
            unsafe bytes.withUnsafeBufferPointer { source in
                if let base = source.baseAddress {
                    unsafe destination.update(from: base + head, count: taken)
                }
            }
            head += taken
        }
        if head == bytes.count, head > 0 {
            clearOwn()
        } else if head > Self.keptCapacity, partBytes == 0 {
            bytes.removeFirst(head)
            head = 0
        }
        return taken
    }

    private mutating func clearOwn() {
        bytes.removeAll(keepingCapacity: bytes.capacity <= Self.keptCapacity)
        head = 0
    }

    mutating func reset() {
        if !bytes.isEmpty { clearOwn() }
        head = 0
        // `removeAll` costs time even for an empty array.
        if !parts.isEmpty { parts.removeAll() }
        nextPart = 0
        partBytes = 0
        hasEnded = false
        trailers.removeAll()
        preparedTrailers = nil
        isDeferred = false
        drainMark = nil
    }
}
