internal import Transport

/// Takes replicas that fail out of service for a while, by what requests to them came to. Source:
/// gRFC A50, with Envoy's consecutive failures beside its failure percentage.
///
/// Failures are UNAVAILABLE, resets and lost connections: what the replica causes, not the request.
/// Times are nanoseconds of any monotonic clock.
package struct OutlierDetection: Sendable, Equatable {
    /// Failures in a row that eject a replica at once; 0 switches this off.
    package var consecutiveFailures = 5
    /// The share of failures in an interval, 0 to 1, that ejects a replica; 0 switches this off.
    package var failureShare = 0.85
    /// Requests to a replica in an interval below which the share means nothing.
    package var minimumRequests = 50
    package var interval = Duration.seconds(10)
    /// The first ejection; the n-th in a row lasts n times as long.
    package var baseEjection = Duration.seconds(30)
    package var maxEjection = Duration.seconds(300)
    /// No more replicas are ejected while this share, 0 to 1, is. One always can be.
    package var maxEjectedShare = 0.5

    package init() {}

    /// One replica's part in it.
    struct Record: Equatable {
        /// How many ejections in a row the next one would continue.
        private(set) var multiplier = 0
        private(set) var ejectedUntil: UInt64?
        private(set) var ejections = 0

        mutating func eject(at now: UInt64, _ settings: OutlierDetection) {
            multiplier += 1
            ejections += 1
            let length = min(settings.baseEjection * multiplier, settings.maxEjection)
            ejectedUntil = now + length.nanoseconds
        }

        /// Ends an ejection whose time is over.
        ///
        /// - Returns: whether it did.
        mutating func readmit(at now: UInt64) -> Bool {
            guard let end = ejectedUntil, end <= now else { return false }
            ejectedUntil = nil
            return true
        }

        /// An interval went by without an ejection: the next one is shorter.
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
