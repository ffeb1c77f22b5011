public import GRPCWire
package import HTTP2Session
internal import Messages
internal import NIOCore
public import Transport

/// One call of a client. Its messages are bytes.
///
/// Invariant of `@unchecked Sendable`: every stored `var` is used only on the connection's loop.
public final class ClientCall: ClientStreamOwner, @unchecked Sendable {
    /// Buffered bytes above which `send` waits.
    private static let bufferBytes = 64 << 10

    private let connection: ClientConnection
    /// Set by `init`.
    private var stream = HTTP2Stream(id: 0, slot: 0)
    private let maxMessageBytes: Int
    private var reader: MessageReader
    private var initial = Metadata()
    private var trailing = Metadata()
    private var isEnded = false
    private var drainWaiter: CheckedContinuation<Void, any Error>?
    private var timer: Scheduled<Void>?
    private let clientProtocol: ClientProtocol
    private let encoding: MessageEncoding
    /// Converts the response of another protocol than gRPC.
    private var web: WebReply?
    /// Bytes of such a response for which the server has got no credit.
    private var uncredited = 0

    /// Opens a stream and begins a call on it. Call it on the loop of the connection.
    package init(
        _ connection: ClientConnection, _ headers: HeaderBlock,
        _ options: WeirClient.CallOptions, maxMessageBytes: Int
    ) throws(RPCError) {
        (clientProtocol, encoding) = (options.clientProtocol, options.encoding)
        web =
            clientProtocol == .grpc ? nil : WebReply(clientProtocol, limit: maxMessageBytes)
        self.connection = connection
        self.maxMessageBytes = maxMessageBytes
        reader = MessageReader(limit: maxMessageBytes)
        guard let stream = connection.open(HeaderParts(headers), owner: self) else {
            throw RPCError(.unavailable, "the connection cannot open more streams")
        }
        self.stream = stream
        guard let timeout = options.timeout else { return }
        timer = connection.shared.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
            self.fail(RPCError(.deadlineExceeded, "the deadline has passed"))
        }
    }

    /// Sends a request. Waits while too many bytes are buffered. Sending on a call that has ended
    /// has no effect: `next` throws the reason.
    public func send(_ message: [UInt8]) async throws {
        // Not on the loop, which other calls use too.
        let body = encoding == .gzip ? Gzip.compress(message.rawSpan) : message
        try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Void, any Error>) in
            onLoop { call in call.send(body, continuation) }
        }
    }

    private func send(_ message: [UInt8], _ continuation: CheckedContinuation<Void, any Error>) {
        guard !isEnded else { return continuation.resume() }
        guard let prefix = MessagePrefix(isCompressed: encoding == .gzip, length: message.count)
        else {
            return continuation.resume(
                throwing: RPCError(
                    .resourceExhausted,
                    "the request has \(message.count) bytes; gRPC allows 4 GiB"))
        }
        let frame = clientProtocol.isFramed ? prefix.bytes + message : message
        connection.write(frame.rawSpan, to: stream)
        guard connection.session.unsentBytes(of: stream) > Self.bufferBytes, drainWaiter == nil
        else { return continuation.resume() }
        drainWaiter = continuation
        connection.session.notifyWhenDrained(stream, below: Self.bufferBytes)
    }

    /// Ends the requests.
    public func finish() {
        onLoop { $0.connection.finish($0.stream) }
    }

    /// The next reply; nil if the call has ended with OK. Throws the call's `RPCError` otherwise.
    public func next() async throws -> [UInt8]? {
        let message = try await withCheckedThrowingContinuation { continuation in
            onLoop { call in
                call.reader.next(continuation)
                call.creditIfRoom()
            }
        }
        do throws(MessageReader.Failure) {
            return try message?.content(limit: maxMessageBytes)
        } catch {
            throw RPCError(.internalError, RPCError(error).message)
        }
    }

    /// Ends the call as CANCELLED, unless it has ended.
    public func cancel() {
        onLoop { call in
            guard !call.isEnded else { return }
            call.fail(RPCError(.cancelled, "the call was cancelled"))
        }
    }

    /// The metadata of the response headers; empty until they arrive.
    public var initialMetadata: Metadata {
        get async { await read(\.initial) }
    }

    /// The trailing metadata; empty until the call has ended.
    public var trailingMetadata: Metadata {
        get async { await read(\.trailing) }
    }

    private func read<Value: Sendable>(
        _ path: any KeyPath<ClientCall, Value> & Sendable
    ) async -> Value {
        await withCheckedContinuation { continuation in
            onLoop { continuation.resume(returning: $0[keyPath: path]) }
        }
    }

    private func onLoop(_ body: @escaping @Sendable (ClientCall) -> Void) {
        if connection.shared.eventLoop.inEventLoop {
            body(self)
        } else {
            connection.shared.eventLoop.execute { body(self) }
        }
    }

    // MARK: Events of the stream

    /// The response headers, or the whole response.
    package func received(headers: HeaderBlock, endStream: Bool) {
        guard !isEnded else { return }
        let response = ResponseHead(headers)
        guard web == nil else { return receivedWeb(headers, response, endStream: endStream) }
        if let error = response.refusal("the server", in: headers) { return fail(error) }
        guard !endStream else { return received(trailers: headers) }
        initial = Metadata(headers)
        if let encoding = response.encoding(in: headers) {
            reader.setEncoding(MessageEncoding(rawValue: encoding) ?? .identity)
        }
    }

    /// The trailers, which contain the status.
    package func received(trailers: HeaderBlock) {
        guard !isEnded else { return }
        trailing = Metadata(trailers)
        let response = ResponseHead(trailers)
        guard let code = response.code else {
            return end(RPCError(.unknown, "the server sent no grpc-status"))
        }
        end(code == .ok ? nil : RPCError(code, response.message(in: trailers), metadata: trailing))
    }

    /// Body bytes.
    package func received(body bytes: RawSpan, endStream: Bool) {
        guard !isEnded else { return connection.session.consume(bytes.byteCount, of: stream) }
        guard web == nil else { return receivedWeb(bytes, endStream: endStream) }
        do throws(MessageReader.Failure) {
            try reader.receive(bytes)
        } catch {
            return fail(RPCError(error))
        }
        creditIfRoom()
        if endStream { end(RPCError(.unknown, "the server sent no grpc-status")) }
    }

    private func fail(_ error: RPCError) {
        end(error)
        connection.cancel(stream)
    }

    private func creditIfRoom() {
        guard web == nil else { return creditWeb() }
        let credit = reader.takeCredit(limit: Self.bufferBytes)
        guard credit > 0 else { return }
        connection.session.consume(credit, of: stream)
        connection.changed()
    }

    /// Continues a `send` that waits.
    package func requestDrained() {
        drainWaiter?.resume()
        drainWaiter = nil
    }

    /// The stream ended before the response.
    package func failed(_ failure: StreamFailure) {
        switch failure {
        case .reset(let code):
            end(RPCError(StatusCode(http2Error: code.rawValue), "the stream was reset: \(code)"))
        case .unprocessed(let why), .lost(let why): end(RPCError(.unavailable, why))
        case .unsendable(let reason) where !reason.isTooLarge:
            end(RPCError(.internalError, failure.description))
        case .headersTooLarge, .unsendable:
            end(RPCError(.resourceExhausted, failure.description))
        }
    }

    private func end(_ error: RPCError?) {
        guard !isEnded else { return }
        isEnded = true
        timer?.cancel()
        timer = nil
        reader.end(failing: error)
        requestDrained()
    }
}

// Responses of gRPC-Web and Connect.
extension ClientCall {
    private func receivedWeb(_ headers: HeaderBlock, _ response: ResponseHead, endStream: Bool) {
        do throws(RPCError) {
            try web?.begin(status: response.httpStatus, headers.pairs)
        } catch {
            return fail(error)
        }
        initial = Metadata(headers)
        if endStream || web?.ending != nil { receivedWeb(RawSpan(), endStream: endStream) }
    }

    private func receivedWeb(_ bytes: RawSpan, endStream: Bool) {
        uncredited += bytes.byteCount
        do throws(RPCError) {
            var framed = try web?.receive(bytes) ?? []
            if endStream { framed += try web?.end() ?? [] }
            try receive(framed)
        } catch {
            return fail(error)
        }
        creditIfRoom()
        guard let ending = web?.ending else { return }
        trailing = ending.trailers
        end(ending.error)
    }

    private func receive(_ framed: [UInt8]) throws(RPCError) {
        do throws(MessageReader.Failure) {
            try reader.receive(framed.rawSpan)
        } catch {
            throw RPCError(error)
        }
    }

    /// The bytes that arrive differ from those that the reader counts.
    private func creditWeb() {
        guard uncredited > 0, reader.bufferedBytes < Self.bufferBytes else { return }
        connection.session.consume(uncredited, of: stream)
        uncredited = 0
        connection.changed()
    }
}
