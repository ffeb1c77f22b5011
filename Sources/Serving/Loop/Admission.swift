internal import GRPCWire
internal import Observability

/// Decides what one loop takes on, by what it has taken on already, and counts what it refuses.
///
/// Pure: the caller passes the delays and the bytes that others count.
struct Admission {
    /// The share of one loop.
    struct Bounds {
        var requestsInFlight: Int
        var blockingCalls: Int
        var bufferedBytes: Int
        /// In nanoseconds.
        var queueingDelay: UInt64
    }

    private let bounds: Bounds
    /// Requests of clients; copies for shadows have limits of their own.
    private(set) var requestsInFlight = 0
    private(set) var blockingCalls = 0
    /// Bytes of requests and responses in memory.
    private(set) var heldBytes = 0
    private(set) var refused: [Overload: UInt64] = [:]

    init(_ bounds: Bounds) { self.bounds = bounds }

    // MARK: Requests

    /// Why a request is refused; nil if it is admitted.
    ///
    /// - Parameters:
    ///   - delay: how far the loop is behind, in nanoseconds; nil while that is within the limit.
    ///   - otherBytes: bytes in memory that are not in `heldBytes`.
    mutating func refusal(delay: Int64?, otherBytes: Int) -> RPCError? {
        guard requestsInFlight < bounds.requestsInFlight else {
            return refuse(.requests, "\(requestsInFlight) requests are in flight")
        }
        if let delay { return refuse(.delay, "the server is \(delay / 1_000_000) ms behind") }
        return memoryRefusal(otherBytes)
    }

    mutating func requestBegan() { requestsInFlight += 1 }

    mutating func requestEnded() { requestsInFlight -= 1 }

    // MARK: Memory

    /// Counts bytes that are kept in memory, or no longer are.
    ///
    /// - Returns: the refusal if that is too much.
    mutating func hold(_ change: Int, otherBytes: Int) -> RPCError? {
        heldBytes += change
        return change > 0 ? memoryRefusal(otherBytes) : nil
    }

    private mutating func memoryRefusal(_ otherBytes: Int) -> RPCError? {
        let bytes = heldBytes + otherBytes
        guard bytes > bounds.bufferedBytes else { return nil }
        return refuse(.memory, "\(bytes) bytes wait in memory")
    }

    // MARK: Blocking handlers

    /// Counts a call of a blocking handler.
    ///
    /// - Parameter delay: how long such calls wait for a thread, in nanoseconds; nil if none waits.
    /// - Returns: the refusal if there are too many; then the call is not counted.
    mutating func beginBlocking(delay: UInt64?) -> RPCError? {
        guard blockingCalls < bounds.blockingCalls else {
            let limit = bounds.blockingCalls
            return refuse(
                .blocking, "\(limit) calls of blocking handlers are running or waiting")
        }
        if let delay, delay > bounds.queueingDelay {
            return refuse(
                .delay, "blocking handlers begin \(delay / 1_000_000) ms after their requests")
        }
        blockingCalls += 1
        return nil
    }

    mutating func endBlocking() { blockingCalls -= 1 }

    // MARK: Refusals

    /// The status of a refused request, which is counted.
    mutating func refuse(_ reason: Overload, _ message: String) -> RPCError {
        count(reason)
        return RPCError(.resourceExhausted, message)
    }

    mutating func count(_ reason: Overload) { refused[reason, default: 0] += 1 }
}
