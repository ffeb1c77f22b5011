package import GRPCWire

/// The messages of a call between the connection and whoever reads them.
///
/// ```
///                 deliver            next
///   connection ------------> queue ---------> reader
///        end --------------> after the last message: nil, or the error
///        cancel -----------> at once: CANCELLED
/// ```
///
/// While much waits, the peer gets no credit for more, so the queue is bounded by that and the
/// stream's window. Compressed messages wait as they came.
package struct InboundMessages {
    package struct Message: Sendable {
        package let isCompressed: Bool
        package let bytes: [UInt8]

        package init(isCompressed: Bool, bytes: [UInt8]) {
            self.isCompressed = isCompressed
            self.bytes = bytes
        }
    }

    private enum Ending { case open, ended, failed(RPCError) }

    private var queue: [Message] = []
    private var head = 0
    private var ending = Ending.open
    private var waiter: CheckedContinuation<Message?, any Error>?

    package init() {}

    /// Bytes that wait to be taken.
    package private(set) var byteCount = 0
    /// Body bytes for which the peer has got no credit.
    private var uncredited = 0
    /// Messages that have come.
    package private(set) var received = 0

    /// Makes a used queue new.
    package mutating func reset() {
        ending = .open
        received = 0
        uncredited = 0
    }

    /// Body bytes have come, whether or not they complete a message.
    package mutating func arrived(_ bytes: Int) { uncredited += bytes }

    /// The credit to give the peer now: for all that has come, but none while more than `limit`
    /// bytes wait to be taken.
    package mutating func takeCredit(limit: Int) -> Int {
        guard byteCount <= limit else { return 0 }
        defer { uncredited = 0 }
        return uncredited
    }

    package mutating func deliver(_ message: Message) {
        received += 1
        guard case .open = ending else { return }
        if let waiter {
            self.waiter = nil
            return waiter.resume(returning: message)
        }
        queue.append(message)
        byteCount += message.bytes.count
    }

    /// The peer has sent everything, or nothing more will come because of an error.
    package mutating func end(failing error: RPCError? = nil) {
        guard case .open = ending else { return }
        ending = error.map { .failed($0) } ?? .ended
        waiter?.resume(with: error.map { .failure($0) } ?? .success(nil))
        waiter = nil
    }

    /// The call is over; readers learn it instead of what is left.
    package mutating func cancel() {
        clear()
        ending = .failed(Self.gone)
        waiter?.resume(throwing: Self.gone)
        waiter = nil
    }

    /// Takes a message that is there.
    package mutating func take() -> Message? {
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
    package mutating func next(_ continuation: CheckedContinuation<Message?, any Error>) {
        if let message = take() { return continuation.resume(returning: message) }
        switch ending {
        case .ended: continuation.resume(returning: nil)
        case .failed(let error): continuation.resume(throwing: error)
        case .open where waiter != nil:
            continuation.resume(
                throwing: RPCError(.internalError, "two readers wait for the same requests"))
        case .open: waiter = continuation
        }
    }

    private mutating func clear() {
        guard !queue.isEmpty else { return }
        queue.removeAll(keepingCapacity: queue.capacity <= 256)
        head = 0
        byteCount = 0
    }

    private static var gone: RPCError { RPCError(.cancelled, "the call is gone") }
}
