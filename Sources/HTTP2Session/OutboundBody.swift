/// The unsent body of one stream: bytes, then perhaps trailers, then the end.
struct OutboundBody {
    private(set) var bytes: [UInt8] = []
    private var head = 0
    private(set) var hasEnded = false
    /// What ends the body instead of its last bytes; the storage is reused.
    var trailers = HeaderBlock()
    /// nghttp2 was told that there is nothing to send; it must be woken.
    var isDeferred = false
    /// Tell when fewer than this many bytes are left; nil when nobody waits.
    var drainMark: Int?

    var count: Int { bytes.count - head }

    mutating func append(_ span: RawSpan) {
        // The span is read within the closure only.
        unsafe span.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    mutating func end() { hasEnded = true }

    /// Moves up to `room` bytes to the destination.
    mutating func take(into destination: UnsafeMutablePointer<UInt8>, room: Int) -> Int {
        let taken = min(room, count)
        if taken > 0 {
            // `taken` bytes exist from `head` on, and `room` at the destination.
            unsafe bytes.withUnsafeBufferPointer { source in
                if let base = source.baseAddress {
                    unsafe destination.update(from: base + head, count: taken)
                }
            }
            head += taken
        }
        if head == bytes.count, head > 0 {
            bytes.removeAll(keepingCapacity: bytes.capacity <= 64 << 10)
            head = 0
        } else if head > 64 << 10 {
            bytes.removeFirst(head)
            head = 0
        }
        return taken
    }

    mutating func reset() {
        if !bytes.isEmpty { bytes.removeAll(keepingCapacity: bytes.capacity <= 64 << 10) }
        head = 0
        hasEnded = false
        trailers.removeAll()
        isDeferred = false
        drainMark = nil
    }
}
