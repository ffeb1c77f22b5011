internal import GRPCWire

/// The request messages of a call between the connection and the handler that reads them.
///
/// ```
///                 deliver            next
///   connection ------------> queue ---------> handler
///        end --------------> after the last message: nil
///        cancel -----------> at once: CANCELLED
/// ```
///
/// While much waits, the client gets no credit for more, so the queue is bounded by that and the
/// stream's window. Compressed messages wait as they came.
struct InboundMessages {
    struct Message {
        let isCompressed: Bool
        let bytes: [UInt8]
    }

    private enum Ending { case open, ended, cancelled }

    private var queue: [Message] = []
    private var head = 0
    private var ending = Ending.open
    private var waiter: CheckedContinuation<Message?, any Error>?

    /// Bytes that wait to be taken.
    private(set) var byteCount = 0
    /// Messages that have come.
    private(set) var received = 0

    /// Makes a used queue new.
    mutating func reset() {
        ending = .open
        received = 0
    }

    mutating func deliver(_ message: Message) {
        received += 1
        guard ending == .open else { return }
        if let waiter {
            self.waiter = nil
            return waiter.resume(returning: message)
        }
        queue.append(message)
        byteCount += message.bytes.count
    }

    /// The client has sent everything.
    mutating func end() {
        guard ending == .open else { return }
        ending = .ended
        waiter?.resume(returning: nil)
        waiter = nil
    }

    /// The call is over; readers learn it instead of what is left.
    mutating func cancel() {
        ending = .cancelled
        clear()
        waiter?.resume(throwing: Self.gone)
        waiter = nil
    }

    /// Takes a message that is there.
    mutating func take() -> Message? {
        guard head < queue.count else { return nil }
        let message = queue[head]
        head += 1
        byteCount -= message.bytes.count
        if head == queue.count {
            clear()
        } else if head > 256 {
            queue.removeFirst(head)
            head = 0
        }
        return message
    }

    /// Resumes the reader with the next message, now or when there is one.
    mutating func next(_ continuation: CheckedContinuation<Message?, any Error>) {
        if let message = take() { return continuation.resume(returning: message) }
        switch ending {
        case .ended: continuation.resume(returning: nil)
        case .cancelled: continuation.resume(throwing: Self.gone)
        case .open where waiter != nil:
            continuation.resume(
                throwing: RPCError(.internalError, "two readers wait for the same requests"))
        case .open: waiter = continuation
        }
    }

    private mutating func clear() {
        queue.removeAll(keepingCapacity: queue.capacity <= 256)
        head = 0
        byteCount = 0
    }

    private static var gone: RPCError { RPCError(.cancelled, "the call is gone") }
}
