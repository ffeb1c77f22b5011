internal import GRPCWire
internal import Messages
internal import Transport

/// The answer of a collector to one request, or the reason why no answer was received.
enum ExportAnswer: Equatable, Sendable {
    /// The collector has processed the request.
    ///
    /// - Parameters:
    ///   - rejected: the records that it did not accept (`partial_success`).
    ///   - message: its reason or warning; may be empty.
    case accepted(rejected: UInt64, message: String)
    /// - Parameter retryDelay: the delay in the status details (`google.rpc.RetryInfo`).
    case failed(StatusCode, reason: String, retryDelay: Duration?)

    init(_ response: Otlp_ExportResponse) {
        let partial = response.partialSuccess
        self = .accepted(
            rejected: UInt64(clamping: partial?.rejected ?? 0),
            message: partial?.errorMessage ?? "")
    }

    init(_ error: RPCError) {
        let delay = error.metadata.bytes("grpc-status-details-bin").lazy
            .compactMap { try? Google_Rpc_Status(serializedBytes: $0) }
            .flatMap(\.details)
            .first { $0.typeUrl.hasSuffix("/google.rpc.RetryInfo") }
            .flatMap { try? Google_Rpc_RetryInfo(serializedBytes: $0.value) }?
            .retryDelay
        self = .failed(
            error.code, reason: error.description,
            retryDelay: delay.map {
                .seconds($0.seconds) + .nanoseconds($0.nanos)
            })
    }
}

/// The attempts to export one request, without a clock and without sockets. The rules are those of
/// OTLP/gRPC ("Failures" and "OTLP/gRPC Throttling" in the specification of OTLP).
///
/// ```
///   attempt --OK---------------------------------------> delivered, even if records were rejected
///      ^  |---other status------------------------------> failed
///      |  '---status to retry--> wait --> failed after the last attempt
///      '---------------------------'
/// ```
struct ExportAttempts: Sendable {
    enum Next: Equatable, Sendable {
        case delivered(rejected: UInt64, message: String)
        case retry(after: Duration, reason: String)
        case failed(reason: String)
    }

    private static let delay = ExponentialDelay(initial: .seconds(1), maximum: .seconds(16))
    private static let retried: Set<StatusCode> = [
        .cancelled, .deadlineExceeded, .aborted, .outOfRange, .unavailable, .dataLoss,
    ]

    private var attempts = 0

    init() {}

    /// An attempt has ended.
    ///
    /// - Parameter random: 0 to 1; the delay is between half of its bound and its bound, or longer
    ///   if the collector asks for that.
    mutating func ended(_ answer: ExportAnswer, random: Double) -> Next {
        attempts += 1
        switch answer {
        case .accepted(let rejected, let message):
            return .delivered(rejected: rejected, message: message)
        case .failed(let code, let reason, let retryDelay):
            // Without a delay, RESOURCE_EXHAUSTED means that the collector will not recover.
            guard Self.retried.contains(code) || (code == .resourceExhausted && retryDelay != nil)
            else { return .failed(reason: reason) }
            guard attempts < ExportLimits.maxAttempts else {
                return .failed(reason: "\(reason) (\(attempts) attempts)")
            }
            let share = min(max(random.isNaN ? 1 : random, 0), 1)
            let delay = Self.delay.bound(before: attempts + 1) * (0.5 + share / 2)
            // A collector in trouble gets no more load because it asks for a shorter delay.
            let asked = min(retryDelay ?? .zero, ExportLimits.maxRetryDelay)
            return .retry(after: max(asked, delay), reason: reason)
        }
    }
}
