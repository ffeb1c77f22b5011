internal import GRPCWire
internal import Messages
internal import Synchronization

/// Limits the requests per second of an endpoint: a token bucket whose state is one number, the
/// time at which the bucket is full again (the "generic cell rate algorithm", ITU-T I.371). All
/// loops share it without a lock.
package final class RateLimiter: Sendable {
    package let requestsPerSecond: Double
    package let burst: Int
    /// The nanoseconds that one request removes from the bucket.
    private let interval: UInt64
    /// The capacity of the bucket in nanoseconds.
    private let capacity: UInt64
    private let fullAt = Atomic<UInt64>(0)

    /// A bucket is refilled within a day, so that times in nanoseconds stay far below 2^63.
    private static let maxCapacity: UInt64 = 86_400_000_000_000

    /// - Parameters:
    ///   - requestsPerSecond: above 0; at least one request a day.
    ///   - burst: requests that are admitted at once, at least 1; refilled within a day.
    package init(requestsPerSecond: Double, burst: Int) {
        self.requestsPerSecond = requestsPerSecond
        self.burst = burst
        // `min` and `max` turn NaN into a bound, too.
        let interval = UInt64(max(1, min(Double(Self.maxCapacity), 1e9 / requestsPerSecond)))
        let (capacity, overflow) = interval.multipliedReportingOverflow(
            by: UInt64(clamping: max(1, burst)))
        self.interval = interval
        self.capacity = overflow ? Self.maxCapacity : min(Self.maxCapacity, capacity)
    }

    /// Takes a token for one request.
    ///
    /// - Parameter now: nanoseconds of the loops' clock.
    /// - Returns: nil, or the nanoseconds until the next token if the bucket is empty.
    func take(at now: UInt64) -> UInt64? {
        var known = fullAt.load(ordering: .relaxed)
        while true {
            let next = max(known, now) + interval
            guard next <= now + capacity else { return next - now - capacity }
            let (done, current) = fullAt.weakCompareExchange(
                expected: known, desired: next, ordering: .relaxed)
            if done { return nil }
            known = current
        }
    }
}

extension RPCError {
    /// The error for a request over the limit of an endpoint. It contains the time until a retry,
    /// in `google.rpc.RetryInfo` and, for gRPC clients that retry, in `grpc-retry-pushback-ms`
    /// (gRFC A6).
    static func rateLimited(endpoint: String, retryAfter nanoseconds: UInt64) -> RPCError {
        let message = "endpoint '\(endpoint)' is over its limit of requests per second"
        let milliseconds = max(1, (nanoseconds + 999_999) / 1_000_000)
        let delay = Google_Protobuf_Duration(
            seconds: Int64(milliseconds / 1_000), nanos: Int32(milliseconds % 1_000) * 1_000_000)
        return RPCError(
            .resourceExhausted, message, detail: Google_Rpc_RetryInfo(retryDelay: delay),
            metadata: ["grpc-retry-pushback-ms": "\(milliseconds)"])
    }
}
