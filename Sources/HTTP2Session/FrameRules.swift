/// Detects protocol errors that nghttp2 1.52 does not report, in frame headers before it reads
/// them:
/// - PRIORITY on stream 0 (RFC 9113 section 6.3). After SETTINGS_NO_RFC7540_PRIORITIES, nghttp2
///   skips PRIORITY frames.
/// - DATA and HEADERS on a stream that the peer has ended (sections 5.1 and 6.1), and HEADERS on a
///   lower stream id that was never opened (section 5.1.1). nghttp2 drops the state of a stream
///   when the stream closes, and ignores later frames without a callback.
///
/// DATA on a stream that this side has reset is not an error, because the peer may have sent it
/// before it received RST_STREAM.
struct FrameRules {
    private let isServer: Bool
    private var streams = StreamHistory()
    /// The ended streams on which the peer sent DATA; the caller removes them.
    var lateData: [Int32] = []

    init(role: HTTP2Session.Role) { isServer = role == .server }

    /// - Returns: the code of the error that ends the connection.
    mutating func check(_ head: FrameHeader) -> HTTP2ErrorCode? {
        let id = head.stream
        switch head.kind {
        case FrameHeader.Kind.data:
            if streams.hasEnded(id) {
                lateData.append(id)
            } else if head.endsStream {
                streams.end(id)
            }
        case FrameHeader.Kind.headers:
            if isServer, !streams.open(id) {
                if streams.hasEnded(id) { return .streamClosed }
                if !streams.wasOpened(id) { return .protocolError }
            }
            if head.endsStream { streams.end(id) }
        case FrameHeader.Kind.priority where id == 0: return .protocolError
        case FrameHeader.Kind.reset: streams.end(id)
        default: break
        }
        return nil
    }
}

/// The state of the newest streams with odd ids, which clients open. It keeps no state of older
/// streams or of those with even ids.
struct StreamHistory {
    static let capacity: Int32 = 1_024

    /// A bit for each stream; its index is half the stream id, modulo the capacity.
    private var opened = InlineArray<16, UInt64>(repeating: 0)
    private var ended = InlineArray<16, UInt64>(repeating: 0)
    /// The highest id.
    private var newest: Int32 = -1

    /// Whether the peer has ended the stream.
    func hasEnded(_ id: Int32) -> Bool {
        knows(id) && ended[Self.word(id)] & Self.bit(id) != 0
    }

    /// False for a skipped stream id, which cannot be opened any more (RFC 9113 section 5.1.1).
    func wasOpened(_ id: Int32) -> Bool {
        !knows(id) || opened[Self.word(id)] & Self.bit(id) != 0
    }

    /// - Returns: whether the stream is new.
    mutating func open(_ id: Int32) -> Bool {
        guard advance(to: id) else { return false }
        opened[Self.word(id)] |= Self.bit(id)
        return true
    }

    mutating func end(_ id: Int32) {
        _ = advance(to: id)
        if knows(id) { ended[Self.word(id)] |= Self.bit(id) }
    }

    private func knows(_ id: Int32) -> Bool {
        id & 1 == 1 && id <= newest && newest - id < 2 * Self.capacity
    }

    private static func word(_ id: Int32) -> Int { Int(id >> 7 & 15) }

    private static func bit(_ id: Int32) -> UInt64 { 1 &<< UInt64(truncatingIfNeeded: id >> 1) }

    /// Discards the oldest streams if this one is newer than all others.
    ///
    /// - Returns: whether the stream is newer than all others.
    private mutating func advance(to id: Int32) -> Bool {
        guard id & 1 == 1, id > newest else { return false }
        var next = max(newest, id - 2 * Self.capacity) + 2
        while next < id {
            forget(next)
            next += 2
        }
        forget(id)
        newest = id
        return true
    }

    private mutating func forget(_ id: Int32) {
        opened[Self.word(id)] &= ~Self.bit(id)
        ended[Self.word(id)] &= ~Self.bit(id)
    }
}
