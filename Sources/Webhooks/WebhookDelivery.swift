internal import Transport

/// The attempts to deliver one request, without a clock and without sockets.
///
/// ```
///   attempt --2xx--------------------------------------> delivered
///      ^  |---other status, not to be tried again-------> refused
///      |  '---no response, 408, 425, 429, 5xx--> wait --> failed after the last attempt
///      '------------------------------------------'
/// ```
package struct WebhookDelivery: Sendable {
    /// The result of an attempt.
    package enum Attempt: Equatable, Sendable {
        /// An HTTP status.
        case status(Int)
        /// No response, and why.
        case noResponse(String)
    }

    /// What follows.
    package enum Next: Equatable, Sendable {
        case delivered
        case retry(after: Duration)
        /// Not delivered, with the reason.
        case failed(String)
    }

    package static let maxAttempts = 4
    /// The longest time of one attempt.
    package static let timeout = Duration.seconds(10)
    private static let delay = ExponentialDelay(initial: .seconds(1), maximum: .seconds(8))
    private static let retriable = [408, 425, 429]

    private var attempts = 0

    package init() {}

    /// An attempt has ended.
    ///
    /// - Parameter random: 0 to 1; the delay is between half of its bound and its bound.
    package mutating func ended(_ attempt: Attempt, random: Double) -> Next {
        attempts += 1
        let problem: String
        switch attempt {
        case .status(200..<300): return .delivered
        case .status(300..<400):
            return .failed("the receiver answered with a redirect, which is not followed")
        case .status(let status) where status < 500 && !Self.retriable.contains(status):
            return .failed("the receiver answered with status \(status)")
        case .status(let status): problem = "the receiver answered with status \(status)"
        case .noResponse(let reason): problem = reason
        }
        guard attempts < Self.maxAttempts else {
            return .failed("\(problem) (\(attempts) attempts)")
        }
        let share = min(max(random.isNaN ? 1 : random, 0), 1)
        return .retry(after: Self.delay.bound(before: attempts + 1) * (0.5 + share / 2))
    }
}
