/// Why a body is not a sequence of gRPC messages.
package enum FramingError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The first byte of a prefix is neither 0 nor 1.
    case badFlag(UInt8)
    /// The declared or decompressed size of a message exceeds the limit.
    case tooLarge(bytes: Int, limit: Int)
    /// The body ended inside a message.
    case truncated(missing: Int)

    package var description: String {
        switch self {
        case .badFlag(let flag):
            "invalid message framing: compressed-flag \(flag); it must be 0 or 1"
        case .tooLarge(let bytes, let limit):
            "the message has \(bytes) bytes; the limit is \(limit) bytes"
        case .truncated(let missing):
            "the request ended inside a message: \(missing) bytes are missing"
        }
    }
}

/// The five bytes in front of each message: a flag and a big-endian length
/// ("Length-Prefixed-Message" in `PROTOCOL-HTTP2.md`).
package struct MessagePrefix: Equatable, Sendable {
    package static let byteCount = 5

    package let isCompressed: Bool
    private let size: UInt32

    /// The size of the message after the prefix, in bytes.
    package var length: Int { Int(size) }

    /// Nil if the length does not fit in four bytes.
    package init?(isCompressed: Bool, length: Int) {
        guard let size = UInt32(exactly: length) else { return nil }
        self.isCompressed = isCompressed
        self.size = size
    }

    /// Reads a prefix.
    init(_ bytes: [UInt8]) throws(FramingError) {
        guard let flag = bytes.first, bytes.count == Self.byteCount else {
            throw .truncated(missing: Self.byteCount - bytes.count)
        }
        guard flag <= 1 else { throw .badFlag(flag) }
        isCompressed = flag == 1
        size = bytes.dropFirst().reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The payload if the body is exactly one uncompressed message, the common case of a unary
    /// call.
    @_lifetime(copy body)
    package static func onlyPayload(in body: RawSpan) -> RawSpan? {
        guard body.byteCount >= byteCount else { return nil }
        // Invariant: five bytes exist, and every bit pattern is a valid number.
        let flag = unsafe body.unsafeLoad(as: UInt8.self)
        let length = unsafe body.unsafeLoadUnaligned(fromByteOffset: 1, as: UInt32.self)
        guard flag == 0, Int(UInt32(bigEndian: length)) == body.byteCount - byteCount else {
            return nil
        }
        return body.extracting(byteCount..<body.byteCount)
    }

    package var bytes: [UInt8] {
        var bytes = Self.room
        write(to: &bytes)
        return bytes
    }

    /// Placeholder bytes for a prefix whose payload is not yet written.
    package static let room = [UInt8](repeating: 0, count: byteCount)

    /// Writes the prefix over the first five bytes of a frame, which `room` reserved.
    package func write(to frame: inout [UInt8]) {
        frame[0] = isCompressed ? 1 : 0
        frame[1] = UInt8(truncatingIfNeeded: size >> 24)
        frame[2] = UInt8(truncatingIfNeeded: size >> 16)
        frame[3] = UInt8(truncatingIfNeeded: size >> 8)
        frame[4] = UInt8(truncatingIfNeeded: size)
    }
}

/// Splits the body of a call into messages, independently of how the bytes arrive.
///
/// ```
///              5 bytes              length bytes
///   prefix ------------> payload ------------------> prefix
///     | flag not 0 or 1     | length over the limit
///     v                     v
///   badFlag              tooLarge
/// ```
package struct Deframer: Sendable {
    /// The largest payload accepted, in bytes.
    package var limit: Int
    private var pending: [UInt8] = []
    private var prefix: MessagePrefix?

    /// - Parameter limit: the largest payload accepted, in bytes.
    package init(limit: Int) { self.limit = limit }

    /// Bytes of an incomplete message.
    package var pendingBytes: Int { pending.count }

    /// Whether the position is between two messages.
    package var isIdle: Bool { prefix == nil && pending.isEmpty }

    /// Discards an incomplete message.
    package mutating func reset() {
        guard !isIdle else { return }
        prefix = nil
        pending.removeAll(keepingCapacity: pending.capacity <= 64 << 10)
    }

    /// Reads the next bytes and calls `body` with each message that they complete. The payload is
    /// valid during the call. A message that is entirely in the input is not copied.
    package mutating func receive(
        _ input: RawSpan, _ body: (_ isCompressed: Bool, _ payload: RawSpan) throws -> Void
    ) throws {
        var position = 0
        while true {
            if let prefix {
                let missing = prefix.length - pending.count
                guard input.byteCount - position >= missing else { break }
                let end = position + missing
                if pending.isEmpty {
                    try body(prefix.isCompressed, input.extracting(position..<end))
                } else {
                    append(input.extracting(position..<end))
                    try body(prefix.isCompressed, pending.span.asBytes)
                    pending.removeAll(keepingCapacity: pending.capacity <= 64 << 10)
                }
                position = end
                self.prefix = nil
            } else {
                let missing = MessagePrefix.byteCount - pending.count
                let available = input.byteCount - position
                guard available >= missing else { break }
                append(input.extracting(position..<position + missing))
                position += missing
                prefix = try readPrefix()
                pending.removeAll(keepingCapacity: true)
            }
        }
        append(input.extracting(position..<input.byteCount))
    }

    /// Checks that the body ended between two messages. Call it at the end of the body.
    package func finish() throws(FramingError) {
        if let prefix { throw .truncated(missing: prefix.length - pending.count) }
        if !pending.isEmpty {
            throw .truncated(missing: MessagePrefix.byteCount - pending.count)
        }
    }

    private func readPrefix() throws(FramingError) -> MessagePrefix {
        let prefix = try MessagePrefix(pending)
        guard prefix.length <= limit else { throw .tooLarge(bytes: prefix.length, limit: limit) }
        return prefix
    }

    private mutating func append(_ bytes: RawSpan) {
        guard bytes.byteCount > 0 else { return }
        // Invariant: the span is read only within the closure.
        unsafe bytes.withUnsafeBytes { unsafe pending.append(contentsOf: $0) }
    }
}

extension Span<UInt8> {
    /// The span's memory as raw bytes.
    package var asBytes: RawSpan {
        @_lifetime(copy self)
        get {
            // Invariant: UInt8 has no padding, so every byte is initialised.
            unsafe bytes
        }
    }
}

extension [UInt8] {
    /// A copy of the bytes.
    package init(copying bytes: RawSpan) {
        // Invariant: the span is read only within the closure.
        self = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
    }
}
