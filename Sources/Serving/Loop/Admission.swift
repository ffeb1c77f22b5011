internal import GRPCWire
internal import Observability

/// Decides whether one loop admits a request, by the load that it has admitted, and counts the
/// refusals.
///
/// Pure: its user passes the delays, and the bytes that are counted elsewhere.
struct Admission {
    /// The limits of one loop.
    struct Bounds {
        var requestsInFlight: Int
        var blockingCalls: Int
        var bufferedBytes: Int
        /// In nanoseconds.
        var queueingDelay: UInt64
    }

    private let bounds: Bounds
    /// Requests of clients. Shadow copies have separate limits.
    private(set) var requestsInFlight = 0
    private(set) var blockingCalls = 0
    /// Bytes of requests and responses in memory.
    private(set) var heldBytes = 0
    private(set) var refused: [Overload: UInt64] = [:]

    init(_ bounds: Bounds) { self.bounds = bounds }

    // MARK: Requests

    /// The error for a request that is refused; nil if it is admitted.
    ///
    /// - Parameters:
    ///   - delay: the delay of the loop, in nanoseconds; nil while it is within the limit.
    ///   - otherBytes: buffered bytes that are not in `heldBytes`.
    mutating func refusal(delay: Int64?, otherBytes: Int) -> RPCError? {
        guard requestsInFlight < bounds.requestsInFlight else {
            return refuse(.requests, "\(requestsInFlight) requests are in flight")
        }
        if let delay {
            return refuse(.delay, "the event loop is delayed by \(delay / 1_000_000) ms")
        }
        return memoryRefusal(otherBytes)
    }

    mutating func requestBegan() { requestsInFlight += 1 }

    mutating func requestEnded() { requestsInFlight -= 1 }

    // MARK: Memory

    /// Adds a change to the buffered bytes.
    ///
    /// - Returns: the refusal if the sum exceeds the limit.
    mutating func hold(_ change: Int, otherBytes: Int) -> RPCError? {
        heldBytes += change
        return change > 0 ? memoryRefusal(otherBytes) : nil
    }

    private mutating func memoryRefusal(_ otherBytes: Int) -> RPCError? {
        let bytes = heldBytes + otherBytes
        guard bytes > bounds.bufferedBytes else { return nil }
        return refuse(.memory, "\(bytes) bytes are buffered")
    }

    // MARK: Blocking handlers

    /// Counts a call of a blocking handler.
    ///
    /// - Parameter delay: how long such calls wait for a thread, in nanoseconds; nil if none waits.
    /// - Returns: the refusal at the limit; then the call is not counted.
    mutating func beginBlocking(delay: UInt64?) -> RPCError? {
        guard blockingCalls < bounds.blockingCalls else {
            let limit = bounds.blockingCalls
            return refuse(
                .blocking, "\(limit) calls of blocking handlers are running or waiting")
        }
        if let delay, delay > bounds.queueingDelay {
            return refuse(
                .delay, "blocking handlers start \(delay / 1_000_000) ms after their requests")
        }
        blockingCalls += 1
        return nil
    }

    mutating func endBlocking() { blockingCalls -= 1 }

    // MARK: Refusals

    /// Counts a refused request, and returns its status.
    mutating func refuse(_ reason: Overload, _ message: String) -> RPCError {
        count(reason)
        return RPCError(.resourceExhausted, message)
    }

    mutating func count(_ reason: Overload) { refused[reason, default: 0] += 1 }
}
