/// Stands in front of nghttp2 and keeps a name or value of over 64 KiB from ending the connection, which may serve
/// many callers: only the stream that it belongs to ends.
///
/// Such a literal needs a header block of several frames. All other frames pass where they lie in the input:
///
/// ```
///   between frames --head--> payload --> between frames          passed
///        |
///        '--HEADERS without END_HEADERS--> block --CONTINUATION--> block      each frame held until it is
///                                            |                               complete, then filtered
///                                            '--END_HEADERS--> between frames
/// ```
///
/// Where the peer breaks the framing, everything passes from there on, and nghttp2 ends the connection.
struct HeaderBlockGuard {
    enum Step: Equatable {
        /// These bytes of the input are for nghttp2.
        case pass(Range<Int>)
        /// `output` is for nghttp2, in the place of what has been held.
        case passOutput
        /// Everything has been read, and some of it is held.
        case needsMore
        /// A CONTINUATION frame over the largest size, which nghttp2 would read: a connection error of type
        /// FRAME_SIZE_ERROR (RFC 9113 section 4.2).
        case frameTooLarge
    }

    private static let headBytes = 9
    /// Our SETTINGS_MAX_FRAME_SIZE, which is HTTP/2's default.
    private static let maxFrameBytes = 16_384
    private static let priorityBytes = 5
    private static let prefaceBytes = 24

    private enum Kind {
        static let headers: UInt8 = 0x1
        static let continuation: UInt8 = 0x9
    }

    private enum Flag {
        static let endHeaders: UInt8 = 0x4
        static let padded: UInt8 = 0x8
        static let priority: UInt8 = 0x20
    }

    /// Bytes of the current frame, or of the preface, that have not passed.
    private var left: Int
    /// They are those of a HEADERS frame.
    private var passesHeaders = false
    /// The head of a frame whose first bytes have arrived, or which is held.
    private var head: [UInt8] = []
    /// The payload of a frame that is held.
    private var payload: [UInt8] = []
    /// The stream of the block that is held frame by frame.
    private var blockStream: UInt32?
    private var filter = LiteralFilter()
    /// A block is complete, and its last frame is in `output`.
    private var hasEndedBlock = false
    private var isOff = false

    /// What `passOutput` passes; valid until the next step.
    private(set) var output: [UInt8] = []

    /// - Parameter expectsPreface: whether the peer is a client, whose first 24 bytes are no frame.
    init(expectsPreface: Bool) { left = expectsPreface ? Self.prefaceBytes : 0 }

    /// A literal of the block that passes has been replaced.
    var hasReplaced: Bool { filter.hasReplaced }

    /// A header block has begun and is not complete.
    var isReceivingHeaders: Bool {
        !isOff && (blockStream != nil || holdsHeaders || passesHeaders && left > 0)
    }

    private var holdsHeaders: Bool { head.count == Self.headBytes && head[3] == Kind.headers }

    /// What to do with the input from a position on; call it until it needs more or the position is the end.
    mutating func next(_ input: Span<UInt8>, from position: inout Int) -> Step {
        let start = position
        if hasEndedBlock { forgetBlock() }
        if isOff {
            position = input.count
            return .pass(start..<position)
        }
        guard blockStream == nil, head.isEmpty else { return hold(input, from: &position) }
        while true {
            let count = min(left, input.count - position)
            position += count
            left -= count
            guard left == 0, input.count - position >= Self.headBytes else { break }
            let kind = input[position + 3]
            if kind == Kind.headers, input[position + 4] & Flag.endHeaders == 0 { break }
            let length =
                Int(input[position]) << 16 | Int(input[position + 1]) << 8
                | Int(input[position + 2])
            left = Self.headBytes + length
            passesHeaders = kind == Kind.headers
        }
        return position > start ? .pass(start..<position) : hold(input, from: &position)
    }

    /// Holds what cannot pass yet: the first bytes of a head, and the frames of a block.
    private mutating func hold(_ input: Span<UInt8>, from position: inout Int) -> Step {
        while head.count < Self.headBytes, position < input.count {
            head.append(input[position])
            position += 1
        }
        guard head.count == Self.headBytes else { return .needsMore }
        let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
        let (kind, flags) = (head[3], head[4])
        if let blockStream {
            guard kind == Kind.continuation, heldStream == blockStream else { return giveUp() }
            guard length <= Self.maxFrameBytes else {
                isOff = true
                return .frameTooLarge
            }
        } else {
            guard kind == Kind.headers, flags & Flag.endHeaders == 0 else {
                left = length
                passesHeaders = kind == Kind.headers
                return passHeld()
            }
            guard length <= Self.maxFrameBytes else { return giveUp() }
        }
        let count = min(length - payload.count, input.count - position)
        // The bytes are read within the closure only.
        unsafe input.extracting(position..<position + count).withUnsafeBufferPointer {
            unsafe payload.append(contentsOf: $0)
        }
        position += count
        return payload.count == length ? filterFrame(flags) : .needsMore
    }

    /// The stream of the frame that is held.
    private var heldStream: UInt32 {
        head[5...].reduce(0) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
    }

    /// A frame of a block is complete.
    private mutating func filterFrame(_ flags: UInt8) -> Step {
        var fragment = payload[...]
        var priority: ArraySlice<UInt8> = []
        if blockStream == nil {
            guard let content = Self.fragment(of: payload, flags) else { return giveUp() }
            fragment = content
            if flags & Flag.priority != 0 {
                priority = payload[..<content.startIndex].suffix(Self.priorityBytes)
            }
            blockStream = heldStream
        }
        let isValid = filter.filter(fragment)
        let isLast = flags & Flag.endHeaders != 0
        if isLast || !isValid { filter.finish() }
        // What does not fit follows with the next frame, of which the literal's rest is left out.
        let count = min(filter.output.count, Self.maxFrameBytes - priority.count)
        let length = count + priority.count
        output.removeAll(keepingCapacity: true)
        output += [UInt8(length >> 16), UInt8(length >> 8 & 0xff), UInt8(length & 0xff), head[3]]
        output.append(flags & ~Flag.padded)
        output += head[5...]
        output += priority
        output += filter.output.prefix(count)
        filter.output.removeFirst(count)
        head.removeAll(keepingCapacity: true)
        payload.removeAll(keepingCapacity: true)
        if isLast { blockStream = nil }
        hasEndedBlock = isLast
        isOff = !isValid
        return .passOutput
    }

    /// Frees what a block has taken: few connections ever have one.
    private mutating func forgetBlock() {
        hasEndedBlock = false
        filter = LiteralFilter()
        output = []
        payload = []
    }

    /// The part of a HEADERS frame's payload that belongs to the header block (RFC 9113 section 6.2), or nil when
    /// the padding leaves no room for it.
    private static func fragment(of payload: [UInt8], _ flags: UInt8) -> ArraySlice<UInt8>? {
        let isPadded = flags & Flag.padded != 0
        let before = (isPadded ? 1 : 0) + (flags & Flag.priority != 0 ? priorityBytes : 0)
        let after = isPadded ? Int(payload.first ?? 0) : 0
        guard before + after <= payload.count else { return nil }
        return payload[before..<payload.count - after]
    }

    private mutating func passHeld() -> Step {
        output.removeAll(keepingCapacity: true)
        output += head
        output += payload
        head.removeAll(keepingCapacity: true)
        payload.removeAll(keepingCapacity: true)
        return .passOutput
    }

    /// What is held passes as it is, and so does all that follows.
    private mutating func giveUp() -> Step {
        isOff = true
        return passHeld()
    }
}
