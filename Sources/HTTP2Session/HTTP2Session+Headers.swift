internal import CNGHTTP2

/// Received header blocks: their limits, and the end of a stream whose headers exceed them.
extension HTTP2Session {
    /// The multiple of the limit up to which a server reads a request's headers, so that it can
    /// answer that they are too large.
    private static let excessFactor = 4

    /// A header block begins.
    package var isReceivingHeaders: Bool { frameGuard.isReceivingHeaders }

    /// Passes the input to nghttp2, except the bytes that the guard holds or replaces.
    ///
    /// - Returns: nghttp2's error if the connection must end, else 0.
    func feed(_ bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
        var position = 0
        while position < bytes.count {
            var consumed = 0
            switch unsafe frameGuard.next(bytes.span, from: &position) {
            case .needsMore: return 0
            case .pass(let range):
                unsafe inputBase = bytes.baseAddress
                let part = unsafe UnsafeBufferPointer(rebasing: bytes[range])
                consumed = unsafe nghttp2_session_mem_recv(session, part.baseAddress, part.count)
                unsafe inputBase = nil
            case .passOutput:
                consumed = unsafe frameGuard.output.withUnsafeBufferPointer {
                    unsafe nghttp2_session_mem_recv(session, $0.baseAddress, $0.count)
                }
            }
            if consumed < 0 { return Int32(clamping: consumed) }
        }
        return 0
    }

    func beginHeaders(of id: Int32) {
        if slot(of: id) == nil, role == .server { bind(openSlot(for: id)) }
        incoming.removeAll()
        incomingBytes = 0
        incomingExcess = nil
        incomingSlot = slot(of: id) ?? -1
    }

    /// - Returns: an error for nghttp2 if the rest of the block is not needed; nghttp2 then resets
    ///   the stream, unless this method did.
    func header(
        _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>
    ) -> Int32 {
        guard incomingSlot >= 0 else { return 0 }
        incomingBytes += name.count + value.count + HeaderBlock.fieldOverheadBytes
        let fits =
            incomingBytes <= limits.maxHeaderListBytes
            && incoming.fields.count < limits.maxHeaderFields && !frameGuard.hasReplaced
        guard fits, incomingExcess == nil else { return headerOverLimit() }
        unsafe incoming.append(
            name: name, value: Self.trimmed(value), known: knownNames.index(of: name))
        return 0
    }

    private func headerOverLimit() -> Int32 {
        let excess = incomingExcess ?? excess
        incomingExcess = excess
        // A few bytes can decode to very many (HPACK bomb), so the decoded size is limited.
        let bound = Self.excessFactor * limits.maxHeaderListBytes
        if role == .server, incomingBytes <= bound { return 0 }
        recordExcess(excess)
        reset(slots[incomingSlot].stream, role == .server ? .enhanceYourCalm : .cancel)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
    }

    /// The limit that the fields exceed together with one more field.
    private var excess: HeaderLimit {
        let isLong = frameGuard.hasReplaced
        if incomingBytes > limits.maxHeaderListBytes
            || isLong && limits.maxHeaderListBytes <= Self.maxFieldBytes
        {
            return .listBytes(limits.maxHeaderListBytes)
        }
        if isLong { return .fieldBytes(Self.maxFieldBytes) }
        return .fields(limits.maxHeaderFields)
    }

    private func recordExcess(_ limit: HeaderLimit) {
        guard !slots[incomingSlot].hasFailed else { return }
        slots[incomingSlot].hasFailed = true
        let isTrailers = slots[incomingSlot].hasHeaders
        if !isTrailers { swap(&slots[incomingSlot].headers, &incoming) }
        record(.headersTooLarge(slots[incomingSlot].stream, limit, isTrailers: isTrailers))
    }

    func receivedHeaders(of id: Int32, endStream: Bool) {
        guard incomingSlot >= 0, slots[incomingSlot].stream.id == id else { return }
        let stream = slots[incomingSlot].stream
        slots[incomingSlot].remoteEnded = endStream
        guard !slots[incomingSlot].hasFailed else { return }
        if let incomingExcess {
            recordExcess(incomingExcess)
        } else if slots[incomingSlot].hasHeaders {
            swap(&slots[incomingSlot].trailers, &incoming)
            record(.trailers(stream))
        } else if role == .server || !incoming.isInformational {
            // The final response follows an informational one (1xx), which is ignored.
            slots[incomingSlot].hasHeaders = true
            swap(&slots[incomingSlot].headers, &incoming)
            record(.headers(stream, endStream: endStream))
        }
    }

    /// A value without leading and trailing spaces and tabs, which are not part of it (RFC 9110
    /// section 5.5).
    @inline(__always)
    static func trimmed(_ value: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        var (start, end) = (0, value.count)
        // Invariant: both indexes stay within the value.
        guard end > 0, unsafe (isSpace(value[0]) || isSpace(value[end - 1])) else {
            return unsafe value
        }
        while start < end, unsafe isSpace(value[start]) { start += 1 }
        while end > start, unsafe isSpace(value[end - 1]) { end -= 1 }
        return unsafe UnsafeBufferPointer(rebasing: value[start..<end])
    }
}
