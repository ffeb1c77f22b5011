internal import CNGHTTP2

/// Received header blocks: their limits, and the end of a stream whose headers exceed them.
extension HTTP2Session {
    /// The multiple of the limit up to which a server reads a request's headers, so that it can
    /// answer that they are too large.
    private static let excessFactor = 4

    /// Whether a header block has begun and not ended.
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
        isIncomingTrailers = incomingSlot >= 0 && slots[incomingSlot].hasHeaders
        withCache { $0.begin() }
    }

    /// Calls the body with the last block of the same kind as `incoming`.
    @inline(__always)
    private func withCache<Result>(_ body: (inout HeaderCache) -> Result) -> Result {
        isIncomingTrailers ? body(&lastTrailers) : body(&lastHeaders)
    }

    /// - Returns: an error for nghttp2 if the rest of the block is not needed; nghttp2 then resets
    ///   the stream, unless this method did.
    func header(_ name: OpaquePointer?, _ value: OpaquePointer?) -> Int32 {
        guard incomingSlot >= 0 else { return 0 }
        if !frameGuard.hasReplaced, withCache({ unsafe $0.matches(name, value) }) {
            return 0
        }
        readMatched()
        // Invariant: the buffers live as long as the callback.
        let (nameBytes, valueBytes) = unsafe (Self.bytes(of: name), Self.bytes(of: value))
        incomingBytes += nameBytes.count + valueBytes.count + HeaderBlock.fieldOverheadBytes
        let fits =
            incomingBytes <= limits.maxHeaderListBytes
            && incoming.count < limits.maxHeaderFields && !frameGuard.hasReplaced
        guard fits, incomingExcess == nil else { return headerOverLimit() }
        unsafe incoming.append(
            name: nameBytes, value: Self.trimmed(valueBytes), known: knownNames.index(of: nameBytes)
        )
        withCache { unsafe $0.add(name, value, listBytes: incomingBytes) }
        return 0
    }

    /// Copies the fields that the cache has matched.
    private func readMatched() {
        if let bytes = withCache({ $0.diverge(to: &incoming) }) { incomingBytes = bytes }
    }

    private static func bytes(of buffer: OpaquePointer?) -> UnsafeBufferPointer<UInt8> {
        let bytes = unsafe nghttp2_rcbuf_get_buf(buffer)
        return unsafe UnsafeBufferPointer(start: bytes.base, count: bytes.len)
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
        if let incomingExcess { return recordExcess(incomingExcess) }
        completeIncoming()
        if isIncomingTrailers {
            swap(&slots[incomingSlot].trailers, &incoming)
            record(.trailers(stream))
        } else if role == .server || !incoming.isInformational {
            // The final response follows an informational one (1xx), which is ignored.
            slots[incomingSlot].hasHeaders = true
            swap(&slots[incomingSlot].headers, &incoming)
            slots[incomingSlot].headersNumber = lastHeaders.number
            record(.headers(stream, endStream: endStream))
        }
    }

    /// Forgets the headers that the peer may repeat, which an idle connection need not keep.
    package func forgetHeaders() {
        lastHeaders.removeAll()
        lastTrailers.removeAll()
    }

    private func completeIncoming() {
        if let block = withCache({ $0.repeated }) {
            incoming = block
        } else {
            readMatched()
            withCache { $0.finish(incoming) }
        }
    }
}
