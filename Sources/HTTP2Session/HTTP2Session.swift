internal import CNGHTTP2

/// One HTTP/2 connection without its socket: bytes in, events out; commands in, bytes out.
///
/// ```
///            receive(bytes)                    nextEvent()
///   socket ----------------> nghttp2 -> events ------------> the layer above
///          <----------------        <---------------------- respond, write, finish, reset, ...
///            send(maxBytes)                    commands
/// ```
///
/// nghttp2 may not be called from inside its callbacks, so these only append to the event buffer.
/// The layer above drains it with `nextEvent()` after `receive` or `send` has returned. Flow
/// control is coupled: only `consume` credits received bytes back to the peer.
///
/// Invariant of every `unsafe` here: a session is confined to one event loop, and nghttp2 calls
/// back synchronously on that loop with pointers that are valid within the callback.
@safe package final class HTTP2Session {
    package enum Role: Sendable { case server, client }

    /// The state of a stream on this side; reused by later streams.
    struct Slot {
        var stream: HTTP2Stream
        var isOpen = false
        var headers = HeaderBlock()
        /// See `headersNumber(of:)`.
        var headersNumber: UInt64 = 0
        var trailers = HeaderBlock()
        var hasHeaders = false
        var outbound = OutboundBody()
        var remoteEnded = false
        /// The session ends the stream for an error in its headers, and has recorded the reason.
        var hasFailed = false
        /// The time since which the same body bytes are unsent, by the session's clock.
        var movedAt: UInt32 = 0
    }

    package let role: Role
    package let limits: HTTP2Limits
    let knownNames: KnownNames
    private let allocator: FreeListAllocator
    private(set) var session: OpaquePointer?

    var slots: [Slot] = []
    /// The slot of the last lookup; it may have been reused since.
    var lastSlot = 0
    private var freeSlots: [Int] = []
    private var closedSlots: [Int] = []
    private var events: [HTTP2Event] = []
    private var cursor = 0
    var inputBase: UnsafePointer<UInt8>?
    var frameGuard: FrameGuard
    /// The header block being received; there is never more than one (RFC 9113 section 6.10).
    var incoming = HeaderBlock()
    var incomingBytes = 0
    /// Whether `incoming` follows the headers of its stream.
    var isIncomingTrailers = false
    /// The last headers, and the last trailers.
    var lastHeaders = HeaderCache()
    var lastTrailers = HeaderCache()
    /// The limit that `incoming` exceeds.
    var incomingExcess: HeaderLimit?
    /// The number of received frames other than HEADERS, CONTINUATION and DATA with content, minus
    /// an allowance: each request and each sent DATA frame allows some.
    var overheadFrames = 0
    /// HEADERS or DATA were sent.
    var hasSentContent = false
    /// Unsent body bytes of all streams.
    package private(set) var unsentBytes = 0
    /// The time, in a unit of the layer above; for `stalledStreams`.
    package var clock: UInt32 = 0
    /// The slot that `incoming` belongs to, or -1.
    var incomingSlot = -1
    var lastError: String?
    /// The peer's error for which this side has sent GOAWAY.
    package internal(set) var sentError: HTTP2SessionError?
    /// An allocation has failed; the session may not exist.
    private(set) var isOutOfMemory = false
    /// The highest stream whose headers were given to the socket; a client sends them in order.
    var lastSentID: Int32 = 0
    var nameValues: [nghttp2_nv] = unsafe []
    /// A field is longer than `maxFieldBytes`.
    var hasLongField = false

    /// The number of streams that are open.
    package private(set) var openStreams = 0

    /// - Parameters:
    ///   - allocator: the allocator that all sessions of one loop share.
    ///   - knownNames: names that `HeaderBlock.Field.known` numbers.
    package init(
        role: Role, limits: HTTP2Limits, allocator: FreeListAllocator, knownNames: KnownNames
    ) {
        self.role = role
        self.limits = limits
        self.allocator = allocator
        self.knownNames = knownNames
        frameGuard = FrameGuard(role: role)
        open()
        submitPreface()
    }

    deinit { close() }

    /// Releases the memory of the connection, after its end and on its loop. Calls and handlers may
    /// keep the session, and release it on another thread.
    package func close() {
        guard unsafe session != nil else { return }
        allocator.bodyBytes -= unsentBytes
        unsentBytes = 0
        (slots, freeSlots, closedSlots) = ([], [], [])
        (events, cursor) = ([], 0)
        openStreams = 0
        forgetHeaders()
        // nghttp2 1.52 frees a body's item twice if it had no memory to queue it, so the session's
        // memory is leaked instead.
        if !isOutOfMemory { unsafe nghttp2_session_del(session) }
        unsafe session = nil
    }

    /// The session is closed or an allocation has failed.
    var isUnusable: Bool { unsafe isOutOfMemory || session == nil }

    private func open() {
        var callbacks: OpaquePointer?
        var options: OpaquePointer?
        unsafe nghttp2_session_callbacks_new(&callbacks)
        unsafe nghttp2_option_new(&options)
        defer {
            unsafe nghttp2_session_callbacks_del(callbacks)
            unsafe nghttp2_option_del(options)
        }
        unsafe Self.register(callbacks)
        unsafe nghttp2_option_set_no_auto_window_update(options, 1)
        unsafe nghttp2_option_set_stream_reset_rate_limit(
            options, limits.resetBurst, limits.resetsPerSecond)
        // Frames of unknown types are ignored but counted.
        for type in Self.unknownFrameTypes {
            unsafe nghttp2_option_set_user_recv_extension_type(options, type)
        }
        unsafe nghttp2_option_set_max_continuations(
            options, role == .server ? limits.maxContinuations : limits.maxResponseContinuations)
        unsafe nghttp2_option_set_max_send_header_block_length(options, Self.maxSentHeaderBytes)
        // gRPC allows spaces around values, which are trimmed.
        unsafe nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(options, 1)
        unsafe nghttp2_option_set_max_outbound_ack(options, limits.maxOutboundAcknowledgements)
        // Invariant: the session outlives its nghttp2 object (deleted in deinit), so the pointer
        // stays valid.
        let user = unsafe Unmanaged.passUnretained(self).toOpaque()
        var memory = unsafe allocator.memory
        let status =
            switch role {
            case .server:
                unsafe nghttp2_session_server_new3(&session, callbacks, user, options, &memory)
            case .client:
                unsafe nghttp2_session_client_new3(&session, callbacks, user, options, &memory)
            }
        note(status)
    }

    /// Records the result of a command. If it ran out of memory, the next `send` or `receive` ends
    /// the connection.
    func note(_ status: Int32) {
        if status == NGHTTP2_ERR_NOMEM.rawValue { isOutOfMemory = true }
    }

    private static let outOfMemory = HTTP2SessionError.fatal(
        code: NGHTTP2_ERR_NOMEM.rawValue, reason: "out of memory")

    func checkMemory() throws(HTTP2SessionError) {
        if isUnusable { throw Self.outOfMemory }
    }

    private static let unknownFrameTypes: ClosedRange<UInt8> = 0x0a...0xff

    // MARK: Receiving

    /// Reads bytes from the peer. Drain `nextEvent()` before releasing the input, because data
    /// events are ranges of it.
    package func receive(_ input: RawSpan) throws(HTTP2SessionError) {
        try checkMemory()
        lastError = nil
        // Invariant: the input is read only during the call.
        let status = unsafe input.withUnsafeBytes {
            unsafe feed($0.bindMemory(to: UInt8.self))
        }
        guard status < 0 else { return answerGuardedErrors() }
        note(status)
        if status == NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue { throw .notHTTP2 }
        throw .fatal(code: status, reason: lastError ?? Self.describe(status))
    }

    /// Handles the errors that only the guard detects.
    private func answerGuardedErrors() {
        if !frameGuard.rules.lateData.isEmpty {
            for id in frameGuard.rules.lateData { refuseLateData(on: id) }
            frameGuard.rules.lateData.removeAll()
        }
        if let code = frameGuard.connectionError { terminate(code) }
    }

    /// Ends the connection of a peer that does not read its acknowledgements.
    private func refuseLateData(on id: Int32) {
        overheadFrames += 1
        let queued = unsafe nghttp2_session_get_outbound_queue_size(session)
        guard queued < limits.maxOutboundAcknowledgements else { return }
        note(
            unsafe nghttp2_submit_rst_stream(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id,
                HTTP2ErrorCode.streamClosed.rawValue))
    }

    /// The next event, in order; nil at the end of the batch.
    package func nextEvent() -> HTTP2Event? {
        if cursor < events.count {
            defer { cursor += 1 }
            return events[cursor]
        }
        events.removeAll(keepingCapacity: true)
        cursor = 0
        for slot in closedSlots { release(slot) }
        closedSlots.removeAll(keepingCapacity: true)
        return nil
    }

    /// The number of frames without a request or content, beyond the allowance, since the last
    /// call.
    package func takeOverheadFrames() -> Int {
        defer { overheadFrames = min(0, overheadFrames) }
        return max(0, overheadFrames)
    }

    /// The number of such frames that each request or sent DATA frame allows.
    private static let allowedFrames = 4
    /// The maximum allowance.
    private static let maxAllowedFrames = 1_000

    func allowOverhead() {
        overheadFrames = max(-Self.maxAllowedFrames, overheadFrames - Self.allowedFrames)
    }

    /// Whether HEADERS or DATA were sent since the last call.
    package func takeHasSentContent() -> Bool {
        defer { hasSentContent = false }
        return hasSentContent
    }

    /// The headers of a stream.
    package func headers(of stream: HTTP2Stream) -> HeaderBlock {
        owns(stream) ? slots[stream.slot].headers : HeaderBlock()
    }

    /// A number of the headers of a stream, from 1. Streams with the same number have equal
    /// headers.
    package func headersNumber(of stream: HTTP2Stream) -> UInt64 {
        owns(stream) ? slots[stream.slot].headersNumber : 0
    }

    /// The trailers of a stream.
    package func trailers(of stream: HTTP2Stream) -> HeaderBlock {
        owns(stream) ? slots[stream.slot].trailers : HeaderBlock()
    }

    /// Credits received body bytes of a stream back to the peer, which may then send as many more.
    package func consume(_ bytes: Int, of stream: HTTP2Stream) {
        guard bytes > 0, isCurrent(stream) else { return }
        note(unsafe nghttp2_session_consume_stream(session, stream.id, bytes))
    }

    /// Credits bytes back to the window of the connection, which all streams share.
    package func consumeConnection(_ bytes: Int) {
        guard bytes > 0, !isUnusable else { return }
        note(unsafe nghttp2_session_consume_connection(session, bytes))
    }

    /// False when neither side has more to send, so that the socket can be closed.
    package var isActive: Bool {
        guard !isUnusable else { return false }
        return unsafe nghttp2_session_want_read(session) != 0
            || nghttp2_session_want_write(session) != 0
    }

    /// Whether `send` would return bytes.
    package var wantsToSend: Bool {
        !isUnusable && (unsafe nghttp2_session_want_write(session)) != 0
    }

    /// The peer's limit of concurrent streams.
    package var peerMaxConcurrentStreams: UInt32 {
        guard !isUnusable else { return 0 }
        return unsafe nghttp2_session_get_remote_settings(
            session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
    }

    /// Whether this side of a stream has not ended, in the bytes given to the socket.
    package func isSending(_ stream: HTTP2Stream) -> Bool {
        guard isCurrent(stream) else { return false }
        return unsafe nghttp2_session_get_stream_local_close(session, stream.id) == 0
    }

    /// Whether a client has begun to send the request of a slot.
    package func wasSent(slot: Int) -> Bool {
        slot < slots.count && slots[slot].stream.id <= lastSentID
    }

    // MARK: Slots

    func record(_ event: HTTP2Event) { events.append(event) }

    /// Merges the end of a stream with the data event that it arrived with.
    func recordEnd(of stream: HTTP2Stream) {
        if case .data(stream, let range, endStream: false) = events.last {
            events[events.count - 1] = .data(stream, range, endStream: true)
        } else {
            events.append(.data(stream, 0..<0, endStream: true))
        }
    }

    func isCurrent(_ stream: HTTP2Stream) -> Bool {
        owns(stream) && slots[stream.slot].isOpen
    }

    /// Whether the slot still belongs to the stream, which it does until the end of the batch in
    /// which the stream closed.
    private func owns(_ stream: HTTP2Stream) -> Bool {
        stream.slot < slots.count && slots[stream.slot].stream.id == stream.id
    }

    func openSlot(for id: Int32) -> HTTP2Stream {
        openStreams += 1
        if let index = freeSlots.popLast() {
            let stream = HTTP2Stream(id: id, slot: index)
            slots[index].stream = stream
            slots[index].isOpen = true
            slots[index].remoteEnded = false
            slots[index].hasFailed = false
            slots[index].hasHeaders = false
            slots[index].headersNumber = 0
            return stream
        }
        let stream = HTTP2Stream(id: id, slot: slots.count)
        slots.append(Slot(stream: stream, isOpen: true))
        return stream
    }

    /// The stream closed. Its slot is kept until the end of the batch, for events not yet read.
    func closeSlot(_ index: Int) {
        guard slots[index].isOpen else { return }
        openStreams -= 1
        slots[index].isOpen = false
        closedSlots.append(index)
    }

    /// Body bytes of a stream will be appended or were sent.
    func countUnsent(_ change: Int, at slot: Int) {
        unsentBytes += change
        allocator.bodyBytes += change
        if change < 0 || slots[slot].outbound.count == 0 { slots[slot].movedAt = clock }
    }

    /// The streams that have had unsent bytes since before `time`, and could send none of them.
    package func stalledStreams(since time: UInt32) -> [HTTP2Stream] {
        guard unsentBytes > 0 else { return [] }
        return slots.filter { $0.isOpen && $0.outbound.count > 0 && $0.movedAt < time }
            .map(\.stream)
    }

    private func release(_ index: Int) {
        if slots[index].outbound.count > 0 {
            countUnsent(-slots[index].outbound.count, at: index)
        }
        slots[index].headers.removeAll()
        slots[index].trailers.removeAll()
        slots[index].outbound.reset()
        freeSlots.append(index)
    }

    static func describe(_ code: Int32) -> String {
        unsafe String(cString: nghttp2_strerror(code))
    }
}
