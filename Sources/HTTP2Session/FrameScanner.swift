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

    /// Other streams than a client's own are left to nghttp2.
    private mutating func beginHeaders(of id: Int32) {
        if streams.hasEnded(id) {
            connectionError = .streamClosed
        } else if !streams.open(id) {
            connectionError = .protocolError
        }
    }
}

/// What a peer has sent on the newest streams with odd ids, which clients open. Nothing is known of
/// older ones.
struct StreamHistory {
    static let capacity = 1_024

    private var opened = InlineArray<16, UInt64>(repeating: 0)
    private var ended = InlineArray<16, UInt64>(repeating: 0)
    /// The number of the newest stream, counted from 0.
    private var newest = -1

    /// Whether the peer has ended the stream.
    func hasEnded(_ id: Int32) -> Bool {
        guard let (word, bit) = place(of: id) else { return false }
        return ended[word] & bit != 0
    }

    /// - Returns: false for a stream that was skipped, which can't be opened any more.
    mutating func open(_ id: Int32) -> Bool {
        let isNew = advance(to: id)
        guard let (word, bit) = place(of: id) else { return true }
        if isNew { opened[word] |= bit }
        return opened[word] & bit != 0
    }

    mutating func end(_ id: Int32) {
        _ = advance(to: id)
        guard let (word, bit) = place(of: id) else { return }
        ended[word] |= bit
    }

    private func place(of id: Int32) -> (word: Int, bit: UInt64)? {
        let number = Int(id >> 1)
        guard id & 1 == 1, number <= newest, newest - number < Self.capacity else { return nil }
        let index = number % Self.capacity
        return (index / 64, 1 << UInt64(index % 64))
    }

    /// Makes room for a stream that is newer than all others.
    private mutating func advance(to id: Int32) -> Bool {
        let number = Int(id >> 1)
        guard id & 1 == 1, number > newest else { return false }
        for skipped in max(newest + 1, number - Self.capacity + 1)...number {
            let index = skipped % Self.capacity
            let bit: UInt64 = 1 << UInt64(index % 64)
            opened[index / 64] &= ~bit
            ended[index / 64] &= ~bit
        }
        newest = number
        return true
    }
}
