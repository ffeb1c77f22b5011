internal import GRPCWire
public import Messages

/// The requests of a client-streaming or bidirectional call, in order. Reading is what lets the
/// client send more: at most one window of bytes waits here. For one reader at a time.
public struct RequestStream<Request: WireMessage>: AsyncSequence, Sendable {
    /// The type of the requests.
    public typealias Element = Request

    private let call: HandlerCall

    init(call: HandlerCall) { self.call = call }

    /// The requests from the first one that nobody has taken.
    public func makeAsyncIterator() -> Iterator { Iterator(call: call) }

    /// Takes the requests one by one.
    public struct Iterator: AsyncIteratorProtocol {
        private let call: HandlerCall

        fileprivate init(call: HandlerCall) { self.call = call }

        /// The next request; nil when the client has sent all of them.
        ///
        /// Throws an `RPCError`: CANCELLED when the call is gone, or what was wrong with the
        /// request.
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

    /// Sends a reply; waits while more than the limit is buffered because the client reads slowly.
    ///
    /// Throws an `RPCError` CANCELLED when the call is gone.
    public func send(_ reply: Reply) async throws {
        try await call.send(try reply.serializedBytes())
    }
}
