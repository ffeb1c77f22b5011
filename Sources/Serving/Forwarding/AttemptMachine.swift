internal import GRPCWire
internal import HTTP2Session
internal import Transport
internal import Upstream

/// The attempts of a forwarded call: how an attempt that failed counts, whether the call is
/// retried, and when.
///
/// ```
///            began                    committed
///   idle ------------> attempting ----------------> committed
///    ^                     |                            |
///    |    retried          | failed, ended              | failed, ended
///    '---------------------+----------------------------'--> the call ends
/// ```
///
/// A call is committed to an attempt when the client receives the first bytes of its response. Then
/// it is never retried. The shell ends each attempt once. `began` during an attempt is a bug of the
/// shell.
struct AttemptMachine: ~Copyable {
    /// The retries of a request that no replica has processed.
    static let maxTransparentRetries = 5
    /// The longest delay that a replica can request, in milliseconds. The client decides about
    /// longer ones.
    static let maxPushback = 60_000

    /// What an attempt that failed means for the replica and for the call.
    struct Failure: Equatable {
        enum Next: Equatable {
            /// No replica has processed the request: send it again at once.
            case resend(RPCError)
            /// Retry the call if the policy allows it.
            case retry(RPCError)
            /// Another attempt would fail in the same way.
            case end(RPCError)

            var error: RPCError {
                switch self {
                case .resend(let error), .retry(let error), .end(let error): error
                }
            }
        }

        /// The status that counts for the replica; nil if it did not process the request.
        let code: StatusCode?
        /// What counts against the replica; nil if it did not cause the failure.
        let fault: String?
        let next: Next
    }

    private enum Phase { case idle, attempting, committed }

    private var phase = Phase.idle
    /// Attempts that a replica may have processed.
    private(set) var attempts = 0
    private var transparentRetries = 0

    var isCommitted: Bool { phase == .committed }

    /// A replica is about to receive the request.
    mutating func began() {
        // Invariant: the shell has one attempt at a time.
        precondition(phase == .idle)
        phase = .attempting
        attempts += 1
    }

    /// The client receives the response of this attempt.
    mutating func committed() { phase = .committed }

    /// The attempt has failed without a status.
    func failed(_ failure: StreamFailure, backend: String) -> Failure {
        let text = "backend '\(backend)': \(failure.description)"
        switch failure {
        case .unprocessed:
            return Failure(
                code: nil, fault: nil, next: .resend(RPCError(.unavailable, text)))
        case .reset(.protocolError):
            // One side rejected the other's frames. Another attempt would send the same frames. A
            // client can cause it, so the replica is not penalized.
            return Failure(
                code: .internalError, fault: nil, next: .end(RPCError(.internalError, text)))
        case .reset(let code) where isCommitted:
            let status = StatusCode(http2Error: code.rawValue)
            return Failure(
                code: status, fault: failure.description, next: .end(RPCError(status, text)))
        case .reset, .lost:
            return Failure(
                code: .unavailable, fault: failure.description,
                next: .retry(RPCError(.unavailable, text)))
        case .headersTooLarge(let limit, let isTrailers):
            // The limit is Weir's: another attempt would exceed it too, and the replica has not
            // failed.
            let part = isTrailers ? "trailers" : "headers"
            return Failure(
                code: .resourceExhausted, fault: nil,
                next: .end(
                    RPCError(
                        .resourceExhausted,
                        "the response \(part) of backend '\(backend)' are over the limit of "
                            + limit.text(.responses))))
        case .unsendable(let reason):
            return Failure(
                code: nil, fault: nil,
                next: .end(
                    RPCError(
                        reason.isTooLarge ? .resourceExhausted : .internalError,
                        "the request headers cannot be sent to backend '\(backend)': \(reason)")))
        }
    }

    /// The attempt ended and no replica has processed the request.
    ///
    /// - Parameter canReplay: whether the whole request is kept.
    /// - Returns: whether to send it again at once. It does not count as an attempt.
    mutating func resend(canReplay: Bool) -> Bool {
        attempts -= 1
        guard !isCommitted, canReplay, transparentRetries < Self.maxTransparentRetries else {
            return false
        }
        phase = .idle
        transparentRetries += 1
        return true
    }

    /// The delay of a retry after a status, if the policy and the deadline allow one. The shell
    /// then asks the budget, and calls `retried`.
    ///
    /// - Parameters:
    ///   - pushback: the delay in milliseconds that the replica requests; negative for no retry.
    ///   - canReplay: whether the whole request is kept.
    ///   - timeLeft: nanoseconds until the deadline; nil without one.
    ///   - random: 0 to 1.
    /// - Returns: nanoseconds; nil for no retry.
    func retryDelay(
        _ code: StatusCode, pushback: Int?, _ policy: RetryPolicy, canReplay: Bool,
        timeLeft: Int64?, random: @autoclosure () -> Double
    ) -> Int64? {
        guard !isCommitted, canReplay, policy.codes.contains(code), attempts < policy.maxAttempts,
            (0...Self.maxPushback).contains(pushback ?? 0)
        else { return nil }
        let bound = policy.delayBound(before: attempts + 1)
        let delay =
            pushback.map { Int64($0) * 1_000_000 }
            ?? Int64(clamping: UInt64(Double(bound.nanoseconds) * random()))
        if let timeLeft, timeLeft <= delay { return nil }
        return delay
    }

    /// The attempt ended, and the call will be retried.
    mutating func retried() { phase = .idle }
}
