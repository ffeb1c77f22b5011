public import GRPCWire
internal import HTTP2Session
internal import Messages
internal import NIOCore
internal import Serving

/// One call of a client, message by message. Messages are given and taken as bytes.
///
/// `@unchecked Sendable`: every stored `var` is only touched on the event loop of the connection.
public final class ClientCall: @unchecked Sendable {
    /// Bytes buffered before `send` waits.
    private static let bufferBytes = 64 << 10

    private let connection: ClientConnection
    let stream: HTTP2Stream
    private var deframer: Deframer
    private var inbound = InboundMessages()
    private var isPacked = false
    private var initial = Metadata()
    private var trailing = Metadata()
    private var isEnded = false
    private var drainWaiter: CheckedContinuation<Void, any Error>?
    private var timer: Scheduled<Void>?

    init(_ connection: ClientConnection, _ stream: HTTP2Stream, timeout: Duration?) {
        self.connection = connection
        self.stream = stream
        deframer = Deframer(limit: connection.maxMessageBytes)
        guard let timeout else { return }
        timer = connection.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
            self.end(RPCError(.deadlineExceeded, "the deadline has passed"))
            self.connection.reset(self.stream)
        }
    }

    /// Sends a request; waits while too much is buffered. Sending on a call that has ended does
    /// nothing: `next` tells why it ended.
    public func send(_ message: [UInt8]) async throws {
        try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Void, any Error>) in
            onLoop { call in call.send(message, continuation) }
        }
    }

    private func send(_ message: [UInt8], _ continuation: CheckedContinuation<Void, any Error>) {
        guard !isEnded else { return continuation.resume() }
        let prefix = MessagePrefix(isCompressed: false, length: message.count).bytes
        connection.write((prefix + message).rawSpan, to: stream)
        guard connection.session.unsentBytes(of: stream) > Self.bufferBytes, drainWaiter == nil
        else { return continuation.resume() }
        drainWaiter = continuation
        connection.session.notifyWhenDrained(stream, below: Self.bufferBytes)
    }

    /// Says that no more requests follow.
    public func finish() {
        onLoop { $0.connection.finish($0.stream) }
    }

    /// The next reply; nil when the call has ended with OK. Throws the call's `RPCError` otherwise.
    public func next() async throws -> [UInt8]? {
        let message = try await withCheckedThrowingContinuation { continuation in
            onLoop { call in
                call.inbound.next(continuation)
                call.creditIfRoom()
            }
        }
        guard let message, message.isCompressed else { return message?.bytes }
        do {
            return try Gzip.decompress(message.bytes.rawSpan, limit: connection.maxMessageBytes)
        } catch {
            throw RPCError(.internalError, "a reply can't be unpacked: \(error)")
        }
    }

    /// Ends the call as CANCELLED, unless it has ended.
    public func cancel() {
        onLoop { call in
            guard !call.isEnded else { return }
            call.end(RPCError(.cancelled, "the call was cancelled"))
            call.connection.reset(call.stream)
        }
    }

    /// The response headers, as far as they have come.
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
        if connection.eventLoop.inEventLoop {
            body(self)
        } else {
            connection.eventLoop.execute { body(self) }
        }
    }

    // MARK: From the connection

    func received(_ headers: HeaderBlock, endStream: Bool) {
        guard !isEnded else { return }
        if let error = refusal(headers) { return fail(error) }
        guard !endStream else { return received(trailers: headers) }
        initial = Metadata(headers)
        isPacked = headers.value("grpc-encoding") == MessageEncoding.gzip.rawValue
    }

    func received(trailers: HeaderBlock) {
        trailing = Metadata(trailers)
        guard let code = trailers.value("grpc-status").flatMap(Int.init) else {
            return end(RPCError(.unknown, "the server sent no grpc-status"))
        }
        guard code != 0 else { return end(nil) }
        let message = trailers.value("grpc-message").map(StatusMessage.decode) ?? ""
        end(RPCError(StatusCode(rawValue: code), message, metadata: trailing))
    }

    /// Why a response is not gRPC at all.
    private func refusal(_ headers: HeaderBlock) -> RPCError? {
        let status = headers.value(":status").flatMap(Int.init) ?? 0
        let type = headers.value("content-type") ?? "none"
        if status == 200, ContentType.isGRPC(Array(type.utf8)[...]) { return nil }
        if headers.value("grpc-status") != nil { return nil }
        return RPCError(
            StatusCode(httpStatus: status),
            "the server answered HTTP status \(status), content-type \(type)")
    }

    func received(_ bytes: RawSpan) {
        guard !isEnded else { return connection.session.consume(bytes.byteCount, of: stream) }
        do {
            try deframer.receive(bytes) { isCompressed, payload in
                guard !isCompressed || isPacked else {
                    throw RPCError(.internalError, "a reply is packed without grpc-encoding: gzip")
                }
                inbound.deliver(
                    .init(
                        isCompressed: isCompressed,
                        bytes: RawMessage(serializedBytes: payload).bytes))
            }
            inbound.arrived(bytes.byteCount)
            creditIfRoom()
        } catch FramingError.tooLarge(let bytes, let limit) {
            let text = "\(FramingError.tooLarge(bytes: bytes, limit: limit))"
            fail(RPCError(.resourceExhausted, text))
        } catch {
            fail(RPCError(.internalError, "\(error)"))
        }
    }

    private func fail(_ error: RPCError) {
        end(error)
        connection.reset(stream)
    }

    private func creditIfRoom() {
        let credit = inbound.takeCredit(limit: Self.bufferBytes)
        guard credit > 0 else { return }
        connection.session.consume(credit, of: stream)
        connection.changed()
    }

    func drained() {
        drainWaiter?.resume()
        drainWaiter = nil
    }

    func closed(_ code: HTTP2ErrorCode) {
        end(RPCError(StatusCode(http2Error: code.rawValue), "the stream was reset: \(code)"))
    }

    func connectionLost() {
        end(RPCError(.unavailable, "the connection was lost"))
    }

    private func end(_ error: RPCError?) {
        guard !isEnded else { return }
        isEnded = true
        timer?.cancel()
        timer = nil
        inbound.end(failing: error)
        drained()
    }
}

extension HeaderBlock {
    fileprivate func value(_ name: String) -> String? {
        fields.first { bytes[$0.name].elementsEqual(name.utf8) }.map { text($0) }
    }
}
