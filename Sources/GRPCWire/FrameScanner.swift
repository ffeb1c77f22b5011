/// Checks the framing of messages that are passed on unchanged, in pieces of any size.
package struct FrameScanner: Sendable {
    private var prefix: [UInt8] = []
    /// Bytes of the current message that are missing.
    private var missing = 0
    /// Whether a message whose prefix was read is compressed.
    package private(set) var hasCompressed = false

    package init() {}

    /// Reads the next bytes.
    package mutating func scan(_ bytes: RawSpan) throws(FramingError) {
        var rest = bytes
        while rest.byteCount > 0 {
            let skipped = min(missing, rest.byteCount)
            missing -= skipped
            rest = rest.extracting(skipped..<rest.byteCount)
            let taken = min(MessagePrefix.byteCount - prefix.count, rest.byteCount)
            prefix += [UInt8](copying: rest.extracting(..<taken))
            rest = rest.extracting(taken..<rest.byteCount)
            guard prefix.count == MessagePrefix.byteCount else { return }
            let read = try MessagePrefix(prefix)
            prefix.removeAll(keepingCapacity: true)
            missing = read.length
            hasCompressed = hasCompressed || read.isCompressed
        }
    }

    /// Checks that the bytes ended between two messages.
    package func finish() throws(FramingError) {
        if missing > 0 { throw .truncated(missing: missing) }
        if !prefix.isEmpty { throw .truncated(missing: MessagePrefix.byteCount - prefix.count) }
    }
}
