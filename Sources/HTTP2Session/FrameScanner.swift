/// Reads the frame headers in a peer's bytes before nghttp2 does, to find the protocol errors that
/// nghttp2 1.52 does not report:
/// - PRIORITY on stream 0 (RFC 9113 section 6.3). After SETTINGS_NO_RFC7540_PRIORITIES, nghttp2
///   skips PRIORITY frames.
/// - DATA and HEADERS on a stream that the peer has ended (sections 5.1 and 6.1), and HEADERS on a
///   lower stream id that was never opened (section 5.1.1). nghttp2 drops the state of a stream when
///   the stream closes, and ignores later frames without a callback.
///
/// Only what the peer has sent counts. DATA on a stream that this side has reset is no error: the
/// peer may have sent it before it received RST_STREAM.
struct FrameScanner {
    private static let prefaceBytes = 24
    private static let headerBytes = 9

    private let isServer: Bool
    private var streams = StreamHistory()
    /// Bytes to skip before the next frame header.
    private var bytesToSkip: Int
    /// The bytes of a frame header of which the rest is in the next input; the last one is lowest.
    private var partialHeader: UInt64 = 0
    private var partialBytes = 0
    /// The streams of DATA frames that the peer sent after it had ended them; the caller removes them.
    var lateData: [Int32] = []
    /// The code of the error that ends the connection.
    private(set) var connectionError: HTTP2ErrorCode?

    init(role: HTTP2Session.Role) {
        isServer = role == .server
        bytesToSkip = isServer ? Self.prefaceBytes : 0
    }

    /// - Returns: the bytes for nghttp2: all of them, or those before the frame that ends the
    ///   connection.
    mutating func scan(_ input: RawSpan) -> Int {
        guard connectionError == nil else { return 0 }
        var offset = 0
        while offset < input.byteCount {
            if bytesToSkip > 0 {
                let step = min(bytesToSkip, input.byteCount - offset)
                bytesToSkip -= step
                offset += step
                continue
            }
            let start = offset
            if partialBytes == 0, input.byteCount - offset >= Self.headerBytes {
                // `RawSpan` checks that the bytes are within its bounds; all bit patterns are valid.
                let first = unsafe input.unsafeLoadUnaligned(
                    fromByteOffset: offset, as: UInt64.self)
                let last = unsafe input.unsafeLoad(fromByteOffset: offset + 8, as: UInt8.self)
                offset += Self.headerBytes
                begin(first: UInt64(bigEndian: first), last: last)
            } else {
                let byte = unsafe input.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
                offset += 1
                partialBytes += 1
                if partialBytes == Self.headerBytes {
                    partialBytes = 0
                    begin(first: partialHeader, last: byte)
                } else {
                    partialHeader = partialHeader << 8 | UInt64(byte)
                }
            }
            if connectionError != nil { return start }
        }
        return offset
    }

    /// A frame header: its first eight bytes and its last one.
    private mutating func begin(first: UInt64, last: UInt8) {
        bytesToSkip = Int(first >> 40)
        let endsStream = first >> 24 & 0x1 != 0
        // The highest bit is reserved.
        let id = Int32(truncatingIfNeeded: (first & 0x7f_ffff) << 8 | UInt64(last))
        switch first >> 32 & 0xff {
        case 0:
            if streams.hasEnded(id) {
                lateData.append(id)
            } else if endsStream {
                streams.end(id)
            }
        case 1:
            if isServer { beginHeaders(of: id) }
            if endsStream { streams.end(id) }
        case 2 where id == 0: connectionError = .protocolError
        case 3: streams.end(id)
        default: break
        }
    }

    private mutating func beginHeaders(of id: Int32) {
        guard !streams.open(id) else { return }
        if streams.hasEnded(id) {
            connectionError = .streamClosed
        } else if !streams.wasOpened(id) {
            connectionError = .protocolError
        }
    }
}

/// What a peer has sent on the newest streams with odd ids, which clients open. Nothing is known of
/// older ones, and of those with even ids.
struct StreamHistory {
    static let capacity: Int32 = 1_024

    /// A bit for each stream: the place is the remainder of half its id.
    private var opened = InlineArray<16, UInt64>(repeating: 0)
    private var ended = InlineArray<16, UInt64>(repeating: 0)
    /// The highest id.
    private var newest: Int32 = -1

    /// Whether the peer has ended the stream.
    func hasEnded(_ id: Int32) -> Bool {
        knows(id) && ended[Self.word(id)] & Self.bit(id) != 0
    }

    /// False for a stream that was skipped: it can't be opened any more (RFC 9113 section 5.1.1).
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

    /// Forgets the oldest streams for one that is newer than all others.
    ///
    /// - Returns: whether it is.
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
