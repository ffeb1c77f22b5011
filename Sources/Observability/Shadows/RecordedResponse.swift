package import GRPCWire
internal import Messages
internal import TrafficPolicy

/// The parts of a response that are compared: the status, and the body or its hash.
package struct RecordedResponse: Sendable {
    /// Nil while the response has not ended.
    package private(set) var code: StatusCode?
    package private(set) var message = ""
    /// From the start of the call to its end.
    package private(set) var nanoseconds: UInt64 = 0
    /// `grpc-encoding`
    package var encoding = MessageEncoding.identity.rawValue
    /// The framed messages, as long as all of them are stored.
    private(set) var body: [UInt8] = []
    package private(set) var byteCount = 0
    /// The hash of the whole body, if the body is no longer stored.
    private var hash: RunningHash?

    package init() {}

    package var isWhole: Bool { hash == nil }

    /// - Parameter limit: the most bytes that are stored.
    package mutating func append(_ bytes: RawSpan, limit: Int) {
        byteCount += bytes.byteCount
        if isWhole, byteCount > limit { dropBody() }
        hash?.append(bytes)
        if isWhole { body.append(bytes) }
    }

    /// Replaces the body by its hash.
    package mutating func dropBody() {
        guard isWhole else { return }
        var hash = RunningHash()
        let kept = body
        hash.append(kept.rawSpan)
        self.hash = hash
        body = []
    }

    package mutating func end(_ code: StatusCode, _ message: String, nanoseconds: UInt64) {
        self.code = code
        self.message = message
        self.nanoseconds = nanoseconds
    }

    /// Whether all bytes are equal. A 64-bit hash stands for a body that is not stored.
    package func hasSameBody(as other: RecordedResponse) -> Bool {
        guard byteCount == other.byteCount, encoding == other.encoding else { return false }
        return isWhole && other.isWhole ? body == other.body : digest == other.digest
    }

    private var digest: UInt64 {
        if let hash { return hash.value }
        var hash = RunningHash()
        let kept = body
        hash.append(kept.rawSpan)
        return hash.value
    }

    /// The decompressed messages. Throws if the body is invalid.
    ///
    /// - Parameter limit: the most bytes of one message.
    func messages(limit: Int) throws -> [[UInt8]] {
        var deframer = Deframer(limit: limit)
        var messages: [[UInt8]] = []
        let kept = body
        try deframer.receive(kept.rawSpan) { isCompressed, payload in
            guard isCompressed else {
                messages.append(RawMessage(serializedBytes: payload).bytes)
                return
            }
            guard encoding == MessageEncoding.gzip.rawValue else { throw Gzip.Failure.notGzip }
            messages.append(try Gzip.decompress(payload, limit: limit))
        }
        try deframer.finish()
        return messages
    }
}
