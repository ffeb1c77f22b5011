internal import GRPCWire
public import Messages

/// A call with a stream of requests and replies of one type each.
///
/// ```swift
/// let chat = try await stub.sayHelloBidiStream()
/// try await chat.send(request)
/// chat.finish()
/// while let reply = try await chat.next() { ... }
/// ```
public struct ClientStream<Request: WireMessage, Reply: WireMessage>: Sendable {
    /// The call, for its metadata.
    public let call: ClientCall

    /// Sends a request. Waits while too many bytes are buffered. Sending on a call that has ended
    /// has no effect: `next` throws the reason.
    public func send(_ request: Request) async throws {
        try await call.send(try request.serializedBytes())
    }

    /// Ends the requests.
    public func finish() { call.finish() }

    /// The next reply; nil if the call has ended with OK. Throws the call's `RPCError` otherwise.
    public func next() async throws -> Reply? {
        try await call.next().map { try Reply(serializedBytes: $0) }
    }

    /// Ends the requests, and waits for the only reply of a client-streaming call.
    public func reply() async throws -> Reply {
        finish()
        guard let reply = try await next() else {
            throw RPCError(.internalError, "the server sent no reply")
        }
        guard try await call.next() == nil else {
            throw RPCError(.internalError, "the server sent more than one reply")
        }
        return reply
    }

    /// Ends the call as CANCELLED, unless it has ended.
    public func cancel() { call.cancel() }
}

extension WeirClient {
    /// Begins a call with a stream of requests.
    ///
    /// - Parameter path: `/pkg.Service/Method`.
    public func stream<Request: WireMessage, Reply: WireMessage>(
        _ path: String, _ options: CallOptions = CallOptions()
    ) async throws -> ClientStream<Request, Reply> {
        ClientStream(call: try await open(path, options))
    }
}
