internal import Messages

/// The request bytes of a call, kept for another attempt.
struct ReplayBuffer {
    private(set) var bytes: [UInt8] = []
    /// Whether `bytes` are all bytes that have arrived.
    private(set) var isWhole = true

    /// Appends bytes of the client.
    ///
    /// - Parameter limit: over it, all bytes are dropped, because the request cannot be repeated.
    ///   Nil while no attempt runs; then the window of the stream is the bound.
    mutating func append(_ span: RawSpan, limit: Int?) {
        guard isWhole else { return }
        if let limit, bytes.count + span.byteCount > limit { return drop() }
        bytes.append(span)
    }

    /// Drops the bytes: the request will not be repeated.
    mutating func drop() {
        isWhole = false
        if !bytes.isEmpty { bytes.removeAll(keepingCapacity: bytes.capacity <= 16 << 10) }
    }

    mutating func reset() {
        drop()
        isWhole = true
    }
}
