/// The position of a call in a trace, as `traceparent` of W3C Trace Context states it.
package struct TraceContext: Hashable, Sendable {
    /// The flags of the trace.
    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The caller may have recorded the trace.
        package static let sampled = Flags(rawValue: 1)
        /// At least the last 7 bytes of the trace id are random (level 2).
        package static let random = Flags(rawValue: 2)
    }

    /// The bytes of `traceparent` in version 00.
    package static let parentBytes = 55
    /// The bytes of `grpc-trace-bin`.
    package static let binaryBytes = 29

    package let traceID: TraceID
    /// The span of the sender: the parent of a span that the receiver creates.
    package let spanID: SpanID
    package let flags: Flags

    package init(traceID: TraceID, spanID: SpanID, flags: Flags) {
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags
    }

    package var isSampled: Bool { flags.contains(.sampled) }

    /// The same trace at another span.
    package func at(_ span: SpanID) -> TraceContext {
        TraceContext(traceID: traceID, spanID: span, flags: flags)
    }

    // MARK: traceparent

    /// Whether a `traceparent` has the sampled flag. Only for a quick answer: the rest of the text
    /// is not checked.
    package static func mayBeSampled(_ text: Span<UInt8>) -> Bool {
        guard text.count >= parentBytes, let last = Hex.digit(text[54]) else { return false }
        return last & 1 != 0
    }

    /// `traceparent`; nil if the text is not one.
    ///
    /// A version above 00 may have more fields: the first 55 bytes count if `-` or the end follows.
    /// Flags that version 00 does not define are ignored.
    package init?(parent text: Span<UInt8>) {
        guard text.count >= Self.parentBytes, let version = Hex.byte(text, at: 0), version != 0xff,
            [2, 35, 52].allSatisfy({ text[$0] == UInt8(ascii: "-") }),
            let traceID = TraceID(hex: text.extracting(3..<35)),
            let spanID = SpanID(hex: text.extracting(36..<52)),
            let flags = Hex.byte(text, at: 53)
        else { return nil }
        if text.count > Self.parentBytes {
            guard version > 0, text[Self.parentBytes] == UInt8(ascii: "-") else { return nil }
        }
        self.init(
            traceID: traceID, spanID: spanID,
            flags: Flags(rawValue: flags).intersection([.sampled, .random]))
    }

    /// The value of `traceparent`, in version 00.
    package var parent: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(Self.parentBytes)
        text.append(contentsOf: "00-".utf8)
        Hex.append(traceID.high, to: &text)
        Hex.append(traceID.low, to: &text)
        text.append(UInt8(ascii: "-"))
        Hex.append(spanID.value, to: &text)
        text.append(UInt8(ascii: "-"))
        Hex.append(UInt64(flags.rawValue), bytes: 1, to: &text)
        return text
    }

    // MARK: grpc-trace-bin

    /// The decoded bytes of `grpc-trace-bin`: version 0, then the fields 0 (trace id), 1 (span id)
    /// and 2 (flags), each after its number; nil if the bytes are not that.
    package init?(binary bytes: [UInt8]) {
        guard bytes.count == Self.binaryBytes, bytes[0] == 0, bytes[1] == 0, bytes[18] == 1,
            bytes[27] == 2,
            let traceID = TraceID(
                high: Hex.word(ofBytes: bytes[2..<10]), low: Hex.word(ofBytes: bytes[10..<18])),
            let spanID = SpanID(Hex.word(ofBytes: bytes[19..<27]))
        else { return nil }
        self.init(
            traceID: traceID, spanID: spanID,
            flags: Flags(rawValue: bytes[28]).intersection(.sampled))
    }

    /// The bytes of `grpc-trace-bin`, before Base64.
    package var binary: [UInt8] {
        [0, 0] + traceID.bytes + [1] + spanID.bytes + [2, flags.intersection(.sampled).rawValue]
    }
}

/// The value of `tracestate`, which Weir passes on and does not interpret.
package enum TraceState {
    /// The longest value that a span keeps. The header is passed on unchanged in any case.
    package static let maxBytes = 512

    /// The values of all `tracestate` headers as one; empty if it is too long or has bytes that are
    /// not printable ASCII.
    package static func joined(_ values: [[UInt8]]) -> String {
        let text = values.filter { !$0.isEmpty }.joined(separator: [UInt8(ascii: ",")])
        let bytes = Array(text)
        guard bytes.count <= maxBytes, bytes.allSatisfy({ (0x20...0x7e).contains($0) }) else {
            return ""
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
