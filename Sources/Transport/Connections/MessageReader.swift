package import GRPCWire

/// Reads the messages of a call in one direction: splits the body into messages, checks their
/// compression, queues them for the reader, and counts flow-control credit.
///
/// ```
///                receive           next, take
///   connection ----------> queue -------------> reader
///          end ----------> after the last message: nil, or the error
///       cancel ----------> at once: CANCELLED
/// ```
///
/// While the queue takes more memory than a limit, the peer gets no credit. This and the stream's
/// window bound the queue. Compressed messages are queued without decompression.
package struct MessageReader: ~Copyable {
    /// A message as received.
    package struct Message: Sendable {
        /// Whether the bytes are compressed with gzip.
        package let isCompressed: Bool
        fileprivate let bytes: [UInt8]

        /// The message without compression.
        ///
        /// - Parameter limit: the largest message accepted, in bytes.
        package func content(limit: Int) throws(Failure) -> [UInt8] {
            guard isCompressed else { return bytes }
            do throws(Gzip.Failure) {
                return try Gzip.decompress(bytes.span.asBytes, limit: limit)
            } catch .tooLarge(let limit) {
                throw .decompressedTooLarge(limit: limit)
            } catch {
                throw .notGzip
            }
        }

        /// The memory of a message in the queue: its bytes, the header of their array, and the
        /// place in the queue. Without the overhead, empty messages would have no bound.
        var byteCount: Int { Self.overhead + bytes.count }

        private static let overhead = 32 + MemoryLayout<Message>.stride
    }

    /// Why a body is invalid.
    package enum Failure: Error, Equatable {
        case framing(FramingError)
        /// A message is compressed, but the headers name no compression.
        case unexpectedCompression
        /// The body has more messages than the method.
        case tooManyMessages
        case notGzip
        case decompressedTooLarge(limit: Int)
    }

    private var deframer: Deframer
    private var queue = MessageQueue()
    private var encoding = MessageEncoding.identity
    private var maxMessages = Int.max

    /// - Parameter limit: the largest message accepted, in bytes as received.
    package init(limit: Int) { deframer = Deframer(limit: limit) }

    /// Prepares the reader for a call.
    ///
    /// - Parameters:
    ///   - limit: the largest message accepted, in bytes as received.
    ///   - encoding: the compression of compressed messages.
    ///   - maxMessages: the most messages that the method has.
    package mutating func reset(
        limit: Int, encoding: MessageEncoding, maxMessages: Int = .max
    ) {
        deframer.limit = limit
        self.encoding = encoding
        self.maxMessages = maxMessages
        queue.reset()
    }

    /// Sets the compression, which the peer's headers name.
    package mutating func setEncoding(_ encoding: MessageEncoding) { self.encoding = encoding }

    // MARK: The connection

    /// The payload of a body that is one message without compression, which arrived as a whole.
    /// Such a message is not copied and not queued. Nil for any other body.
    @_lifetime(copy body)
    package func onlyPayload(in body: RawSpan) -> RawSpan? {
        guard deframer.isIdle, queue.received == 0,
            let payload = MessagePrefix.onlyPayload(in: body), payload.byteCount <= deframer.limit
        else { return nil }
        return payload
    }

    /// Reads bytes of the body.
    package mutating func receive(_ bytes: RawSpan) throws(Failure) {
        try Self.receive(bytes, &deframer, &queue, encoding, maxMessages)
        queue.arrived(bytes.byteCount)
    }

    /// Takes the two parts as arguments, so that the closure can change the queue.
    private static func receive(
        _ bytes: RawSpan, _ deframer: inout Deframer, _ queue: inout MessageQueue,
        _ encoding: MessageEncoding, _ maxMessages: Int
    ) throws(Failure) {
        do {
            try deframer.receive(bytes) { isCompressed, payload in
                guard !isCompressed || encoding == .gzip else {
                    throw Failure.unexpectedCompression
                }
                guard queue.received < maxMessages else { throw Failure.tooManyMessages }
                queue.deliver(
                    Message(isCompressed: isCompressed, bytes: Array(copying: payload)))
            }
        } catch let error as FramingError {
            throw .framing(error)
        } catch let error as Failure {
            throw error
        } catch {
            preconditionFailure("the deframer and the closure throw no other errors: \(error)")
        }
    }

    /// Checks that the body has ended after a whole message.
    package func checkEnd() throws(Failure) {
        do throws(FramingError) {
            try deframer.finish()
        } catch {
            throw .framing(error)
        }
    }

    /// Ends the messages: readers get the queued ones, and then nil or the error.
    package mutating func end(failing error: RPCError? = nil) { queue.end(failing: error) }

    /// The call has ended. Drops all bytes; readers get CANCELLED.
    package mutating func cancel() {
        queue.cancel()
        deframer.reset()
    }

    /// The memory of queued messages, and of an incomplete one.
    package var bufferedBytes: Int { deframer.pendingBytes + queue.byteCount }

    /// The credit to return to the peer: for all bytes that have arrived, but 0 while the queue
    /// takes more than `limit` bytes of memory.
    package mutating func takeCredit(limit: Int) -> Int { queue.takeCredit(limit: limit) }

    // MARK: The reader

    /// Takes a message from the queue; nil if it is empty.
    package mutating func take() -> Message? { queue.take() }

    /// Resumes the reader with the next message, now or when it arrives.
    package mutating func next(_ continuation: CheckedContinuation<Message?, any Error>) {
        queue.next(continuation)
    }
}

extension RPCError {
    /// The status for a body that is invalid.
    ///
    /// - Parameter limitName: the name with which operators set the limit of a message.
    package init(_ failure: MessageReader.Failure, limitName: StaticString? = nil) {
        let suffix = limitName.map { " (\($0))" } ?? ""
        self =
            switch failure {
            case .framing(.tooLarge(let bytes, let limit)):
                RPCError(
                    .resourceExhausted,
                    "\(FramingError.tooLarge(bytes: bytes, limit: limit))\(suffix)")
            case .framing(let error): RPCError(.internalError, "\(error)")
            case .unexpectedCompression:
                RPCError(
                    .internalError,
                    "a message is compressed, but grpc-encoding names no compression")
            case .tooManyMessages:
                RPCError(
                    .internalError,
                    "the method has one request message, but the client sent several")
            case .notGzip:
                RPCError(.internalError, "a compressed message is not valid gzip")
            case .decompressedTooLarge(let limit):
                RPCError(
                    .resourceExhausted,
                    "a decompressed message is over the limit of \(limit) bytes\(suffix)")
            }
    }
}
