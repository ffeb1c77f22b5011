internal import CNGHTTP2

#if canImport(Glibc)
    internal import Glibc
#endif

/// Commands of the layer above. Commands for a closed stream have no effect; a `closed` event
/// reports the end.
extension HTTP2Session {
    /// Queues our SETTINGS, and the larger window of the connection.
    func submitPreface() {
        guard !isUnusable else { return }
        var settings = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue),
                value: UInt32(clamping: limits.streamWindowBytes)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
                value: UInt32(clamping: limits.maxHeaderListBytes)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
                value: limits.maxConcurrentStreams),
        ]
        if role == .server {
            // The session ignores priorities, so clients need not send them (RFC 9218 section 2.1).
            settings.append(
                nghttp2_settings_entry(
                    settings_id: Int32(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES.rawValue), value: 1))
        } else {
            settings.append(
                nghttp2_settings_entry(
                    settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0))
        }
        let none = UInt8(NGHTTP2_FLAG_NONE.rawValue)
        note(unsafe nghttp2_submit_settings(session, none, settings, settings.count))
        note(
            unsafe nghttp2_session_set_local_window_size(
                session, none, 0, limits.connectionWindowBytes))
    }

    /// Starts the response of a stream; with `endStream`, it has only headers.
    package func respond(to stream: HTTP2Stream, headers: HeaderBlock, endStream: Bool = false) {
        respond(to: stream, headers: HeaderParts(headers), endStream: endStream)
    }

    /// Starts the response of a stream with headers in parts.
    package func respond(to stream: HTTP2Stream, headers: HeaderParts, endStream: Bool = false) {
        guard isCurrent(stream) else { return }
        let status = unsafe withNameValues(headers) {
            unsafe submitResponse(to: stream, $0, endStream: endStream)
        }
        if status < 0 { failToSend(stream, status) }
    }

    /// Sends a whole response: prepared headers, a body, and prepared trailers.
    package func respond(
        to stream: HTTP2Stream, headers: PreparedHeaders, body: RawSpan, trailers: PreparedHeaders
    ) {
        guard isCurrent(stream) else { return }
        countUnsent(body.byteCount, at: stream.slot)
        slots[stream.slot].outbound.end(with: body, trailers)
        let status = unsafe submitResponse(
            to: stream, UnsafeBufferPointer(headers.nameValues), endStream: false)
        if status < 0 { failToSend(stream, status) }
    }

    private func submitResponse(
        to stream: HTTP2Stream, _ fields: UnsafeBufferPointer<nghttp2_nv>, endStream: Bool
    ) -> Int32 {
        guard !endStream else {
            return unsafe nghttp2_submit_response(
                session, stream.id, fields.baseAddress, fields.count, nil)
        }
        var provider = unsafe Self.bodyProvider
        return unsafe nghttp2_submit_response(
            session, stream.id, fields.baseAddress, fields.count, &provider)
    }

    /// Opens a stream to a server; nil if the connection cannot open more streams. If the headers
    /// cannot be sent, an `unsendable` event of the stream follows.
    package func request(headers: HeaderParts, endStream: Bool = false) -> HTTP2Stream? {
        guard !isUnusable else { return nil }
        let slot = openSlot(for: 0).slot
        let tag = unsafe UnsafeMutableRawPointer(bitPattern: slot + 1)
        var id = unsafe withNameValues(headers) { fields in
            guard !endStream else {
                return unsafe nghttp2_submit_request(
                    session, nil, fields.baseAddress, fields.count, nil, tag)
            }
            var provider = unsafe Self.bodyProvider
            return unsafe nghttp2_submit_request(
                session, nil, fields.baseAddress, fields.count, &provider, tag)
        }
        if hasLongField {
            // Nothing of this stream is sent: nghttp2 drops its headers if the stream is reset
            // first.
            id = unsafe nghttp2_submit_request(session, nil, nil, 0, nil, tag)
        }
        guard id > 0 else {
            note(id)
            closeSlot(slot)
            return nil
        }
        let stream = HTTP2Stream(id: id, slot: slot)
        slots[slot].stream = stream
        if hasLongField { failToSend(stream, NGHTTP2_ERR_FRAME_SIZE_ERROR.rawValue) }
        return stream
    }

    /// Handles headers or trailers that cannot be sent: resets the stream, because the peer would
    /// wait for them.
    private func failToSend(_ stream: HTTP2Stream, _ code: Int32) {
        note(code)
        guard !isUnusable else { return }
        recordUnsendable(
            stream, hasLongField ? .fieldBytes(Self.maxFieldBytes) : .refused(code: code))
        reset(stream, .internalError)
    }

    private func recordUnsendable(_ stream: HTTP2Stream, _ reason: UnsendableHeaders) {
        guard !slots[stream.slot].hasFailed else { return }
        slots[stream.slot].hasFailed = true
        record(.unsendable(stream, reason))
    }

    /// Handles headers or trailers that nghttp2 refuses to send.
    ///
    /// - Parameter opensStream: whether the headers would have opened the stream, which nghttp2
    ///   then closes without a frame.
    func headersNotSent(on id: Int32, opensStream: Bool, _ code: Int32) {
        switch nghttp2_error(code) {
        case NGHTTP2_ERR_STREAM_CLOSED, NGHTTP2_ERR_STREAM_CLOSING, NGHTTP2_ERR_STREAM_SHUT_WR,
            NGHTTP2_ERR_SESSION_CLOSING, NGHTTP2_ERR_START_STREAM_NOT_ALLOWED:
            // The stream has ended, or is about to end.
            return
        default: break
        }
        guard let slot = slot(of: id) else { return }
        let isTooLarge = code == NGHTTP2_ERR_FRAME_SIZE_ERROR.rawValue
        recordUnsendable(
            slots[slot].stream,
            isTooLarge ? .listBytes(Self.maxSentHeaderBytes) : .refused(code: code))
        if !opensStream { reset(slots[slot].stream, .internalError) }
    }

    /// Appends body bytes.
    package func write(_ bytes: RawSpan, to stream: HTTP2Stream) {
        guard isCurrent(stream) else { return }
        countUnsent(bytes.byteCount, at: stream.slot)
        slots[stream.slot].outbound.append(bytes)
        wake(stream)
    }

    /// Appends shared body bytes without a copy.
    package func write(shared bytes: [UInt8], to stream: HTTP2Stream) {
        guard isCurrent(stream) else { return }
        countUnsent(bytes.count, at: stream.slot)
        slots[stream.slot].outbound.append(shared: bytes)
        wake(stream)
    }

    /// Ends this side of the stream after the written bytes, with optional trailers.
    package func finish(_ stream: HTTP2Stream, trailers: HeaderBlock? = nil) {
        guard isCurrent(stream) else { return }
        if let trailers { slots[stream.slot].outbound.trailers.append(trailers) }
        slots[stream.slot].outbound.end()
        wake(stream)
    }

    /// Ends this side of the stream with trailers in parts.
    package func finish(_ stream: HTTP2Stream, trailers: HeaderParts) {
        guard isCurrent(stream) else { return }
        slots[stream.slot].outbound.trailers.append(trailers.first)
        slots[stream.slot].outbound.trailers.append(trailers.passed, except: trailers.excluded)
        slots[stream.slot].outbound.trailers.append(trailers.last)
        finish(stream)
    }

    /// Resets the stream.
    package func reset(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        guard isCurrent(stream) else { return }
        note(
            unsafe nghttp2_submit_rst_stream(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, code.rawValue))
    }

    /// The unsent body bytes of the stream.
    package func unsentBytes(of stream: HTTP2Stream) -> Int {
        isCurrent(stream) ? slots[stream.slot].outbound.count : 0
    }

    /// Requests one `drained` event when fewer than `mark` unsent bytes remain.
    package func notifyWhenDrained(_ stream: HTTP2Stream, below mark: Int) {
        guard isCurrent(stream) else { return }
        slots[stream.slot].outbound.drainMark = mark
    }

    /// Sends a PING; `pingAcknowledged` reports the acknowledgement.
    package func ping(_ value: UInt64) {
        // Invariant: nghttp2 copies the eight bytes during the call.
        guard !isUnusable else { return }
        unsafe withUnsafeBytes(of: value.bigEndian) { bytes in
            note(
                unsafe nghttp2_submit_ping(
                    session, UInt8(NGHTTP2_FLAG_NONE.rawValue),
                    bytes.bindMemory(to: UInt8.self).baseAddress))
        }
    }

    /// First step of a graceful shutdown: asks the peer to open no more streams. Streams that it is
    /// already opening are still served (RFC 9113 section 6.8).
    package func announceShutdown() {
        guard !isUnusable else { return }
        note(unsafe nghttp2_submit_shutdown_notice(session))
    }

    private static let maxReasonBytes = 1_024

    /// Second step: refuses streams that the peer opens from now on.
    package func refuseNewStreams() { goAway(.noError, reason: "") }

    /// Sends GOAWAY with a reason, and ignores later streams. The reason is cut to
    /// `maxReasonBytes`, because it must fit in a frame.
    package func goAway(_ code: HTTP2ErrorCode, reason: String) {
        guard !isUnusable else { return }
        let last = unsafe nghttp2_session_get_last_proc_stream_id(session)
        var debugData = reason
        // Invariant: nghttp2 copies the bytes during the call.
        debugData.withUTF8 { bytes in
            note(
                unsafe nghttp2_submit_goaway(
                    session, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, code.rawValue,
                    bytes.baseAddress, min(bytes.count, Self.maxReasonBytes)))
        }
    }

    /// Ends the connection; GOAWAY is the last frame.
    package func terminate(_ code: HTTP2ErrorCode) {
        guard !isUnusable else { return }
        note(unsafe nghttp2_session_terminate_session(session, code.rawValue))
    }

    /// The space that `send` needs for the largest frame: its header and 16 KiB.
    package static let frameRoomBytes = (16 << 10) + 9

    /// Writes the next bytes for the peer to memory: as many whole frames as fit.
    ///
    /// - Parameter room: at least `frameRoomBytes` long.
    /// - Returns: the number of bytes written, and whether more may follow.
    package func send(
        into room: UnsafeMutableRawBufferPointer
    ) throws(HTTP2SessionError) -> (count: Int, hasMore: Bool) {
        try checkMemory()
        var written = 0
        while room.count - written >= Self.frameRoomBytes {
            var data: UnsafePointer<UInt8>?
            let count = unsafe nghttp2_session_mem_send(session, &data)
            guard count >= 0 else {
                let status = Int32(clamping: count)
                note(status)
                throw .fatal(code: status, reason: Self.describe(status))
            }
            guard count > 0, let data = unsafe data, let base = room.baseAddress else {
                return (written, false)
            }
            // Invariant: nghttp2 returns one frame per call, or the client's preface, and both fit.
            guard count <= room.count - written else {
                throw .fatal(
                    code: NGHTTP2_ERR_FRAME_SIZE_ERROR.rawValue, reason: "frame too large")
            }
            unsafe memcpy(base + written, data, count)
            written += count
        }
        return (written, true)
    }

    // MARK: Bodies

    private static var bodyProvider: nghttp2_data_provider {
        unsafe nghttp2_data_provider(source: nghttp2_data_source()) {
            _, id, buffer, room, flags, _, user in
            guard let buffer = unsafe buffer, let flags = unsafe flags else {
                return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
            }
            return unsafe HTTP2Session.with(user) {
                unsafe $0.fill(buffer, room, of: id, flags: flags)
            }
        }
    }

    private func fill(
        _ buffer: UnsafeMutablePointer<UInt8>, _ room: Int, of id: Int32,
        flags: UnsafeMutablePointer<UInt32>
    ) -> Int {
        let failure = Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
        guard let slot = slot(of: id) else { return failure }
        let taken = unsafe slots[slot].outbound.take(into: buffer, room: room)
        if taken > 0 { countUnsent(-taken, at: slot) }
        let left = slots[slot].outbound.count
        if let mark = slots[slot].outbound.drainMark, left < mark {
            slots[slot].outbound.drainMark = nil
            record(.drained(slots[slot].stream))
        }
        guard left == 0, slots[slot].outbound.hasEnded else {
            if taken > 0 { return taken }
            slots[slot].outbound.isDeferred = true
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        unsafe flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
        switch submitTrailers(of: id, at: slot) {
        case .none: break
        case .submitted: unsafe flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
        case .failed(let status):
            failToSend(slots[slot].stream, status)
            return failure
        }
        return taken
    }

    private enum Trailers {
        case none, submitted
        /// With nghttp2's error.
        case failed(Int32)
    }

    /// Submits the trailers of a stream, if it has any.
    private func submitTrailers(of id: Int32, at slot: Int) -> Trailers {
        let status: Int32
        if let prepared = slots[slot].outbound.preparedTrailers {
            let fields = unsafe prepared.nameValues
            status = unsafe nghttp2_submit_trailer(session, id, fields.baseAddress, fields.count)
        } else if slots[slot].outbound.trailers.count > 0 {
            status = unsafe withNameValues(HeaderParts(slots[slot].outbound.trailers)) {
                unsafe nghttp2_submit_trailer(session, id, $0.baseAddress, $0.count)
            }
        } else {
            return .none
        }
        return status < 0 ? .failed(status) : .submitted
    }

    private func wake(_ stream: HTTP2Stream) {
        guard slots[stream.slot].outbound.isDeferred else { return }
        slots[stream.slot].outbound.isDeferred = false
        note(unsafe nghttp2_session_resume_data(session, stream.id))
    }

    /// The size limit of sent headers or trailers. nghttp2's default is 64 KiB; it allocates the
    /// memory in chunks as needed. It adds a few bytes for each field.
    static let maxSentHeaderBytes = 24 << 20
    /// The size limit of a sent name or value, because a peer may use nghttp2's decoder, which ends
    /// the connection for a longer one.
    package static let maxFieldBytes = LiteralFilter.maxLiteralBytes
}
