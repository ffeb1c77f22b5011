internal import Messages

/// The request bytes of a call as far as they may have to be sent again.
struct ReplayBuffer {
    private(set) var bytes: [UInt8] = []
    /// Whether `bytes` is all that has come.
    private(set) var isWhole = true

    /// Keeps what the client has sent.
    ///
    /// - Parameter limit: beyond it all is given up, since it could not be sent again whole; nil
    ///   while nothing has been sent on, when the window of the stream is the bound.
    mutating func append(_ span: RawSpan, limit: Int?) {
        guard isWhole else { return }
        if let limit, bytes.count + span.byteCount > limit { return drop() }
        bytes.append(span)
    }

    /// The bytes will not be needed again.
    mutating func drop() {
        isWhole = false
        if !bytes.isEmpty { bytes.removeAll(keepingCapacity: bytes.capacity <= 16 << 10) }
    }

    mutating func reset() {
        drop()
        isWhole = true
    }
}
