internal import DequeModule
internal import GRPCWire

/// The queue of a `MessageReader`: messages that wait for the reader, or a reader that waits for a
/// message.
struct MessageQueue: ~Copyable {
    private enum Ending { case open, ended, failed(RPCError), cancelled }

    private var queue: Deque<MessageReader.Message> = []
    private var ending = Ending.open
    private var waiter: CheckedContinuation<MessageReader.Message?, any Error>?

    /// The memory of the messages in the queue.
    private(set) var byteCount = 0
    /// Body bytes for which the peer has no credit yet.
    private var uncredited = 0
    /// Messages that have arrived.
    private(set) var received = 0

    /// Prepares the queue for another call.
    mutating func reset() {
        ending = .open
        received = 0
        uncredited = 0
    }

    /// Body bytes have arrived, whether or not they complete a message.
    mutating func arrived(_ bytes: Int) { uncredited += bytes }

    /// The credit to return to the peer: for all bytes that have arrived, but 0 while the queue
    /// takes more than `limit` bytes of memory.
    mutating func takeCredit(limit: Int) -> Int {
        guard byteCount <= limit else { return 0 }
        defer { uncredited = 0 }
        return uncredited
    }

    /// Resumes the reader with a message, or queues it.
    mutating func deliver(_ message: MessageReader.Message) {
        received += 1
        guard case .open = ending else { return }
        if let waiter {
            self.waiter = nil
            return waiter.resume(returning: message)
        }
        queue.append(message)
        byteCount += message.byteCount
    }

    /// The peer has sent all messages, or an error ends the stream of messages.
    mutating func end(failing error: RPCError? = nil) {
        guard case .open = ending else { return }
        ending = error.map { .failed($0) } ?? .ended
        waiter?.resume(with: error.map { .failure($0) } ?? .success(nil))
        waiter = nil
    }

    /// The call has ended. Drops the queue; readers get CANCELLED.
    mutating func cancel() {
        // Most calls queue nothing. The others free their storage: the call may be kept for reuse.
        if received > 0 {
            queue = []
            byteCount = 0
        }
        ending = .cancelled
        guard let waiter else { return }
        self.waiter = nil
        waiter.resume(throwing: Self.endedError)
    }

    /// Takes a message from the queue; nil if it is empty.
    mutating func take() -> MessageReader.Message? {
        guard let message = queue.popFirst() else { return nil }
        byteCount -= message.byteCount
        return message
    }

    /// Resumes the reader with the next message, now or when it arrives.
    mutating func next(_ continuation: CheckedContinuation<MessageReader.Message?, any Error>) {
        if let message = take() { return continuation.resume(returning: message) }
        switch ending {
        case .ended: continuation.resume(returning: nil)
        case .failed(let error): continuation.resume(throwing: error)
        case .cancelled: continuation.resume(throwing: Self.endedError)
        case .open where waiter != nil:
            continuation.resume(
                throwing: RPCError(.internalError, "two readers wait for the same messages"))
        case .open: waiter = continuation
        }
    }

    private static var endedError: RPCError { RPCError(.cancelled, "the call has ended") }
}
