internal import GRPCWire

/// The queue of a `MessageReader`: messages that wait for the reader, or a reader that waits for a
/// message.
struct MessageQueue {
    private enum Ending { case open, ended, failed(RPCError) }

    private var queue: [MessageReader.Message] = []
    private var head = 0
    private var ending = Ending.open
    private var waiter: CheckedContinuation<MessageReader.Message?, any Error>?

    /// Bytes in the queue.
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

    /// The credit to return to the peer: for all bytes that have arrived, but 0 while more than
    /// `limit` bytes are queued.
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
        clear()
        ending = .failed(Self.endedError)
        waiter?.resume(throwing: Self.endedError)
        waiter = nil
    }

    /// Takes a message from the queue; nil if it is empty.
    mutating func take() -> MessageReader.Message? {
        guard head < queue.count else { return nil }
        let message = queue[head]
        head += 1
        byteCount -= message.byteCount
        if head == queue.count {
            clear()
        } else if head > 256 {
            queue.removeFirst(head)
            head = 0
        }
        return message
    }

    /// Resumes the reader with the next message, now or when it arrives.
    mutating func next(_ continuation: CheckedContinuation<MessageReader.Message?, any Error>) {
        if let message = take() { return continuation.resume(returning: message) }
        switch ending {
        case .ended: continuation.resume(returning: nil)
        case .failed(let error): continuation.resume(throwing: error)
        case .open where waiter != nil:
            continuation.resume(
                throwing: RPCError(.internalError, "two readers wait for the same messages"))
        case .open: waiter = continuation
        }
    }

    private mutating func clear() {
        guard !queue.isEmpty else { return }
        queue.removeAll(keepingCapacity: queue.capacity <= 256)
        head = 0
        byteCount = 0
    }

    private static var endedError: RPCError { RPCError(.cancelled, "the call has ended") }
}
