internal import CNGHTTP2

/// nghttp2's callbacks. They record events and copy headers; none of them calls send or receive.
extension HTTP2Session {
    static func register(_ callbacks: OpaquePointer?) {
        unsafe registerReceiving(callbacks)
        unsafe registerSending(callbacks)
    }

    private static func registerReceiving(_ callbacks: OpaquePointer?) {
        unsafe nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks) {
            _, header, user in
            guard let header = unsafe header else { return 0 }
            unsafe HTTP2Session.with(user) { unsafe $0.beginFrame(header.pointee) }
            return 0
        }
        unsafe nghttp2_session_callbacks_set_unpack_extension_callback(callbacks) {
            _, _, _, _ in
            // The frame was counted when it began; its payload is ignored.
            NGHTTP2_ERR_CANCEL.rawValue
        }
        unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) {
            _, frame, user in
            guard let frame = unsafe frame else { return 0 }
            unsafe HTTP2Session.with(user) {
                unsafe $0.beginHeaders(of: frame.pointee.hd.stream_id)
            }
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_header_callback2(callbacks) {
            _, _, name, value, _, user in
            unsafe HTTP2Session.with(user) { unsafe $0.header(name, value) }
        }
        unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
            guard let frame = unsafe frame else { return 0 }
            unsafe HTTP2Session.with(user) { unsafe $0.received(frame) }
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
            _, _, id, data, count, user in
            guard let data = unsafe data else { return 0 }
            return unsafe HTTP2Session.with(user) { unsafe $0.data(of: id, data, count) }
        }
    }

    private static func registerSending(_ callbacks: OpaquePointer?) {
        unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) {
            _, id, code, user in
            unsafe HTTP2Session.with(user) { $0.closed(id, code) }
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, user in
            guard let frame = unsafe frame else { return 0 }
            unsafe HTTP2Session.with(user) {
                unsafe $0.sent(frame.pointee.hd)
                guard unsafe frame.pointee.hd.type == UInt8(NGHTTP2_GOAWAY.rawValue) else { return }
                unsafe $0.sentGoAway(frame.pointee.goaway)
            }
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) {
            _, frame, code, user in
            guard let frame = unsafe frame else { return 0 }
            let header = unsafe frame.pointee.hd
            guard header.type == UInt8(NGHTTP2_HEADERS.rawValue) else { return 0 }
            let opensStream = unsafe frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST
            unsafe HTTP2Session.with(user) {
                $0.headersNotSent(on: header.stream_id, opensStream: opensStream, code)
            }
            return 0
        }
        unsafe nghttp2_session_callbacks_set_error_callback2(callbacks) {
            _, code, message, count, user in
            // An invalid field ends only its stream. nghttp2's message would repeat the whole
            // value.
            guard let message = unsafe message, code != NGHTTP2_ERR_HTTP_HEADER.rawValue else {
                return 0
            }
            let bytes = unsafe UnsafeRawBufferPointer(start: message, count: count)
            unsafe HTTP2Session.with(user) {
                $0.lastError = unsafe String(decoding: bytes, as: UTF8.self)
            }
            return 0
        }
    }

    /// Calls the body with the session of a callback. Invariant: nghttp2 runs only inside methods
    /// of the session, so the session is alive and needs no reference count.
    @inline(__always)
    static func with<Result>(
        _ user: UnsafeMutableRawPointer?, _ body: (HTTP2Session) -> Result
    ) -> Result {
        guard let user = unsafe user else { preconditionFailure("nghttp2 passed no session") }
        return unsafe Unmanaged<HTTP2Session>.fromOpaque(user)._withUnsafeGuaranteedRef(body)
    }

    /// The slot of a stream, which nghttp2 stores as index + 1.
    ///
    /// Consecutive frames often belong to one stream, so the last result is tried before nghttp2's
    /// table.
    func slot(of id: Int32) -> Int? {
        if lastSlot < slots.count, slots[lastSlot].stream.id == id, slots[lastSlot].isOpen {
            return lastSlot
        }
        let data = unsafe nghttp2_session_get_stream_user_data(session, id)
        guard let data = unsafe data else { return nil }
        lastSlot = Int(bitPattern: data) - 1
        return lastSlot
    }

    func bind(_ stream: HTTP2Stream) {
        lastSlot = stream.slot
        unsafe nghttp2_session_set_stream_user_data(
            session, stream.id, UnsafeMutableRawPointer(bitPattern: stream.slot + 1))
    }

    /// Counts frames that cause work but no progress: all except HEADERS and DATA with content.
    private func beginFrame(_ header: nghttp2_frame_hd) {
        switch nghttp2_frame_type(UInt32(header.type)) {
        case NGHTTP2_DATA where header.length > 0: return
        case NGHTTP2_HEADERS:
            allowOverhead()
            return
        case NGHTTP2_CONTINUATION: return
        default: overheadFrames += 1
        }
    }

    private func data(of id: Int32, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
        // Invariant: nghttp2 passes DATA as a pointer into the input of the receive call. The guard
        // never holds DATA.
        guard let base = unsafe inputBase else { return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }
        guard let slot = slot(of: id) else { return 0 }
        let start = unsafe bytes - base
        record(.data(slots[slot].stream, start..<start + count, endStream: false))
        return 0
    }

    private func received(_ frame: UnsafePointer<nghttp2_frame>) {
        let header = unsafe frame.pointee.hd
        let endStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        switch nghttp2_frame_type(UInt32(header.type)) {
        case NGHTTP2_HEADERS:
            receivedHeaders(of: header.stream_id, endStream: endStream)
        case NGHTTP2_DATA:
            guard endStream, let slot = slot(of: header.stream_id) else { return }
            slots[slot].remoteEnded = true
            recordEnd(of: slots[slot].stream)
        case NGHTTP2_GOAWAY:
            let goAway = unsafe frame.pointee.goaway
            record(
                .goAway(
                    lastStreamID: unsafe goAway.last_stream_id,
                    HTTP2ErrorCode(rawValue: unsafe goAway.error_code)))
        case NGHTTP2_SETTINGS where header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0:
            record(.settings)
        case NGHTTP2_PING where header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0:
            record(.pinged)
        case NGHTTP2_PING:
            let bytes = unsafe frame.pointee.ping.opaque_data
            let value = unsafe withUnsafeBytes(of: bytes) {
                unsafe $0.loadUnaligned(as: UInt64.self)
            }
            record(.pingAcknowledged(UInt64(bigEndian: value)))
        default:
            break
        }
    }

    private func closed(_ id: Int32, _ code: UInt32) {
        guard let slot = slot(of: id) else { return }
        record(.closed(slots[slot].stream, HTTP2ErrorCode(rawValue: code)))
        closeSlot(slot)
    }

    private func sentGoAway(_ frame: nghttp2_goaway) {
        let code = HTTP2ErrorCode(rawValue: unsafe frame.error_code)
        guard code != .noError else { return }
        // Invariant: nghttp2 stores the reason in this field.
        let reason = unsafe String(
            decoding: UnsafeBufferPointer(
                start: frame.opaque_data, count: frame.opaque_data_len), as: UTF8.self)
        sentError = unsafe .fatal(
            code: Int32(bitPattern: frame.error_code),
            reason: reason.isEmpty ? "\(code)" : "\(code): \(reason)")
    }

    /// A server whose response is complete before the request ended resets the stream with
    /// NO_ERROR, so that the client stops sending (RFC 9113 section 8.1).
    private func sent(_ header: nghttp2_frame_hd) {
        if header.type == UInt8(NGHTTP2_HEADERS.rawValue) {
            lastSentID = max(lastSentID, header.stream_id)
        } else if header.type == UInt8(NGHTTP2_DATA.rawValue) {
            allowOverhead()
        }
        let endStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        let mayEnd =
            header.type == UInt8(NGHTTP2_HEADERS.rawValue)
            || header.type == UInt8(NGHTTP2_DATA.rawValue)
        if mayEnd { hasSentContent = true }
        guard role == .server, endStream, mayEnd, let slot = slot(of: header.stream_id),
            !slots[slot].remoteEnded
        else { return }
        note(
            unsafe nghttp2_submit_rst_stream(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), header.stream_id,
                HTTP2ErrorCode.noError.rawValue))
    }
}
