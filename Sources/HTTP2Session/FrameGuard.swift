/// Filters the peer's frames before nghttp2 1.52 reads them, because nghttp2 ends the connection
/// for some errors of a single stream, and does not detect other errors.
///
/// nghttp2 ends the connection, which may serve many clients, for a name or value over 64 KiB. Such
/// a literal needs a header block of several frames. The guard holds these frames and replaces the
/// literal. It passes all other frames from the input without a copy:
///
/// ```
///   between frames --head--> payload --> between frames          passed
///        |
///        '--HEADERS without END_HEADERS--> block --CONTINUATION--> block    each frame held until
///                                            |                             complete, then filtered
///                                            '--END_HEADERS--> between frames
/// ```
///
/// The `rules` check the header of each frame. When the framing of a block is invalid, the guard
/// passes all further bytes, and nghttp2 ends the connection.
struct FrameGuard {
    enum Step: Equatable {
        /// These bytes of the input are for nghttp2.
        case pass(Range<Int>)
        /// `output` is for nghttp2, instead of the held bytes.
        case passOutput
        /// All input was read, and some of it is held.
        case needsMore
    }

    /// How the guard handles the input.
    private enum Mode {
        case guarded
        /// nghttp2 receives all input.
        case passing
        /// nghttp2 receives no input: the connection ends.
        case dropping
    }

    /// Our SETTINGS_MAX_FRAME_SIZE, which is HTTP/2's default.
    private static let maxFrameBytes = 16_384
    private static let priorityBytes = 5
    private static let prefaceBytes = 24

    private var mode = Mode.guarded
    /// The remaining bytes of the current frame or of the preface.
    private var left: Int
    /// Whether `left` belongs to a HEADERS frame.
    private var passesHeaders = false
    /// The bytes of a frame header that is split between inputs, or whose frame is held.
    private var headerBytes: [UInt8] = []
    /// The received part of the held frame.
    private var held: FrameHeader?
    private var payload: [UInt8] = []
    /// The stream of the held block.
    private var blockStream: Int32?
    private var filter = LiteralFilter()
    /// Whether a block is complete, and its last frame is in `output`.
    private var hasEndedBlock = false

    var rules: FrameRules
    /// The code of the error that ends the connection; all further input is dropped.
    private(set) var connectionError: HTTP2ErrorCode?
    /// The bytes that `passOutput` passes; valid until the next step.
    private(set) var output: [UInt8] = []

    /// - Parameter role: the role of this side. A server's peer begins with the 24-byte connection
    ///   preface.
    init(role: HTTP2Session.Role) {
        left = role == .server ? Self.prefaceBytes : 0
        rules = FrameRules(role: role)
    }

    /// Whether a literal of the current block was replaced.
    var hasReplaced: Bool { filter.hasReplaced }

    /// Whether a header block has begun and is not complete.
    var isReceivingHeaders: Bool {
        guard mode == .guarded else { return false }
        return blockStream != nil || held != nil || passesHeaders && left > 0
    }

    /// The next step for the input at a position. Call it until it needs more input or the position
    /// is the end.
    mutating func next(_ input: Span<UInt8>, from position: inout Int) -> Step {
        let start = position
        if hasEndedBlock { forgetBlock() }
        if mode != .guarded {
            position = input.count
            return mode == .passing ? .pass(start..<position) : .needsMore
        }
        guard blockStream == nil, headerBytes.isEmpty else { return hold(input, from: &position) }
        while true {
            let count = min(left, input.count - position)
            position += count
            left -= count
            guard left == 0, input.count - position >= FrameHeader.byteCount else { break }
            let head = FrameHeader(input, at: position)
            if head.beginsBlock { break }
            if let error = rules.check(head) {
                // The bytes before the frame pass.
                _ = fail(error)
                break
            }
            left = FrameHeader.byteCount + head.length
            passesHeaders = head.kind == FrameHeader.Kind.headers
        }
        if position > start { return .pass(start..<position) }
        return mode == .guarded ? hold(input, from: &position) : .needsMore
    }

    /// Holds the bytes that cannot pass yet: a partial frame header, and the frames of a block.
    private mutating func hold(_ input: Span<UInt8>, from position: inout Int) -> Step {
        if held == nil {
            while headerBytes.count < FrameHeader.byteCount, position < input.count {
                headerBytes.append(input[position])
                position += 1
            }
            guard headerBytes.count == FrameHeader.byteCount else { return .needsMore }
            let head = FrameHeader(headerBytes.span, at: 0)
            if let step = begin(head) { return step }
            held = head
        }
        guard let held else { return .needsMore }
        let count = min(held.length - payload.count, input.count - position)
        // Invariant: the bytes are read only within the closure.
        unsafe input.extracting(position..<position + count).withUnsafeBufferPointer {
            unsafe payload.append(contentsOf: $0)
        }
        position += count
        return payload.count == held.length ? filterFrame(held) : .needsMore
    }

    /// A held frame header is complete.
    ///
    /// - Returns: nil if its frame is held too.
    private mutating func begin(_ head: FrameHeader) -> Step? {
        if let error = rules.check(head) { return fail(error) }
        let isTooLarge = head.length > Self.maxFrameBytes
        if let blockStream {
            guard head.kind == FrameHeader.Kind.continuation, head.stream == blockStream else {
                return giveUp()
            }
            // nghttp2 does not check the size of CONTINUATION frames (RFC 9113 section 4.2).
            return isTooLarge ? fail(.frameSizeError) : nil
        }
        guard head.beginsBlock else {
            left = head.length
            passesHeaders = head.kind == FrameHeader.Kind.headers
            return passHeld()
        }
        return isTooLarge ? giveUp() : nil
    }

    private mutating func fail(_ error: HTTP2ErrorCode) -> Step {
        connectionError = error
        mode = .dropping
        return .needsMore
    }

    /// A frame of a block is complete.
    private mutating func filterFrame(_ head: FrameHeader) -> Step {
        let flags = head.flags
        var fragment = payload[...]
        var priority: ArraySlice<UInt8> = []
        if blockStream == nil {
            guard let content = Self.fragment(of: payload, flags) else { return giveUp() }
            fragment = content
            if flags & FrameHeader.Flag.priority != 0 {
                priority = payload[..<content.startIndex].suffix(Self.priorityBytes)
            }
            blockStream = head.stream
        }
        let isValid = filter.filter(fragment)
        let isLast = flags & FrameHeader.Flag.endHeaders != 0
        if isLast || !isValid { filter.finish() }
        // The rest is passed with the next frame.
        let count = min(filter.output.count, Self.maxFrameBytes - priority.count)
        let length = count + priority.count
        output.removeAll(keepingCapacity: true)
        output += [
            0, UInt8(length >> 8), UInt8(length & 0xff), head.kind,
            flags & ~FrameHeader.Flag.padded,
        ]
        output += headerBytes[5...]
        output += priority
        output += filter.output.prefix(count)
        filter.output.removeFirst(count)
        forgetFrame()
        if isLast { blockStream = nil }
        hasEndedBlock = isLast
        if !isValid { mode = .passing }
        return .passOutput
    }

    /// Frees the memory of a block, because few connections ever have one.
    private mutating func forgetBlock() {
        hasEndedBlock = false
        filter = LiteralFilter()
        output = []
        payload = []
    }

    /// The part of a HEADERS frame's payload that belongs to the header block (RFC 9113 section
    /// 6.2); nil if the padding is too long.
    private static func fragment(of payload: [UInt8], _ flags: UInt8) -> ArraySlice<UInt8>? {
        let isPadded = flags & FrameHeader.Flag.padded != 0
        let before =
            (isPadded ? 1 : 0) + (flags & FrameHeader.Flag.priority != 0 ? priorityBytes : 0)
        let after = isPadded ? Int(payload.first ?? 0) : 0
        guard before + after <= payload.count else { return nil }
        return payload[before..<payload.count - after]
    }

    private mutating func forgetFrame() {
        headerBytes.removeAll(keepingCapacity: true)
        held = nil
        payload.removeAll(keepingCapacity: true)
    }

    private mutating func passHeld() -> Step {
        output.removeAll(keepingCapacity: true)
        output += headerBytes
        output += payload
        forgetFrame()
        return .passOutput
    }

    /// Passes the held bytes and all further input unchanged.
    private mutating func giveUp() -> Step {
        mode = .passing
        return passHeld()
    }
}
