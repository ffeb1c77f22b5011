internal import GRPCWire
public import Messages

/// The requests of a client-streaming or bidirectional call, in order. At most one flow-control
/// window of bytes is buffered: the client waits until they are read. For one reader at a time.
public struct RequestStream<Request: WireMessage>: AsyncSequence, Sendable {
    /// The type of the requests.
    public typealias Element = Request

    private let call: HandlerCall

    init(call: HandlerCall) { self.call = call }

    /// Iterates from the first request that was not read.
    public func makeAsyncIterator() -> Iterator { Iterator(call: call) }

    /// Reads the requests one by one.
    public struct Iterator: AsyncIteratorProtocol {
        private let call: HandlerCall

        fileprivate init(call: HandlerCall) { self.call = call }

        /// The next request; nil when the client has sent all of them.
        ///
        /// Throws an `RPCError`: CANCELLED if the call has ended, or why the request is invalid.
        public mutating func next() async throws -> Request? {
            guard let bytes = try await call.nextMessage() else { return nil }
            do throws(MessageError) {
                return try Request(serializedBytes: bytes)
            } catch {
                throw RPCError(.invalidArgument, error.description)
            }
        }
    }
}

/// Sends the replies of a server-streaming or bidirectional call.
public struct ReplyWriter<Reply: WireMessage>: Sendable {
    private let call: HandlerCall

    init(call: HandlerCall) { self.call = call }

    /// Sends a reply. Waits while more than the limit is buffered because the client reads slowly.
    ///
    /// Throws an `RPCError` CANCELLED if the call has ended.
    public func send(_ reply: Reply) async throws {
        try await call.send(try reply.serializedBytes())
    }
}
