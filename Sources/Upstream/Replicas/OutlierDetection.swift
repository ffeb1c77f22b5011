internal import Transport

/// Ejects replicas that fail, by the results of the requests to them. Source: gRFC A50, with
/// Envoy's consecutive failures beside its failure percentage.
///
/// Failures are UNAVAILABLE, resets and lost connections: caused by the replica, not by the
/// request. Times are nanoseconds of any monotonic clock.
package struct OutlierDetection: Sendable, Equatable {
    /// Consecutive failures that eject a replica at once; 0 for never.
    package var consecutiveFailures = 5
    /// The share of failures in an interval, 0 to 1, that ejects a replica; 0 for never.
    package var failureShare = 0.85
    /// The minimum number of requests to a replica in an interval for the share to count.
    package var minimumRequests = 50
    package var interval = Duration.seconds(10)
    /// The duration of the first ejection; the n-th consecutive one lasts n times as long.
    package var baseEjection = Duration.seconds(30)
    package var maxEjection = Duration.seconds(300)
    /// The maximum share of ejected replicas, 0 to 1. One replica can always be ejected.
    package var maxEjectedShare = 0.5

    package init() {}

    /// The ejections of one replica.
    struct Record: Equatable {
        /// Consecutive ejections.
        private(set) var multiplier = 0
        private(set) var ejectedUntil: UInt64?
        private(set) var ejections = 0

        mutating func eject(at now: UInt64, _ settings: OutlierDetection) {
            multiplier += 1
            ejections += 1
            let length = min(settings.baseEjection * multiplier, settings.maxEjection)
            ejectedUntil = now + length.nanoseconds
        }

        /// Ends the ejection if its time is over.
        ///
        /// - Returns: whether it ended.
        mutating func readmit(at now: UInt64) -> Bool {
            guard let end = ejectedUntil, end <= now else { return false }
            ejectedUntil = nil
            return true
        }

        /// An interval passed without an ejection: the next one is shorter.
        mutating func forgive() {
            if ejectedUntil == nil { multiplier = max(0, multiplier - 1) }
        }
    }

    /// Whether one more replica may be ejected.
    func allowsEjection(ejected: Int, replicas: Int) -> Bool {
        ejected == 0 || Double(ejected + 1) <= maxEjectedShare * Double(replicas)
    }

    /// Whether the failures of an interval make a replica an outlier.
    func isOutlier(failures: Int, requests: Int) -> Bool {
        failureShare > 0 && requests >= minimumRequests
            && Double(failures) >= failureShare * Double(requests)
    }
}
