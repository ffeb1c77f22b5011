internal import Glibc

/// Evidence that the candidate returns a status that is not the server's fault, such as NOT_FOUND,
/// at another rate than the baseline. Such a status is not an error, but a candidate that answers
/// every request with NOT_FOUND is broken.
///
/// Each status has a two-sided `RatioTest`: the mean of the evidence for a ratio above the bound
/// and for one below its reciprocal. The evidence is the mean over all statuses. The set of
/// statuses is fixed, so the weights are fixed in advance.
package struct StatusDrift: Equatable, Sendable {
    /// The tests of one status.
    private struct Status: Equatable, Sendable {
        var above: RatioTest
        var below: RatioTest

        var logEvidence: Double { LogSpace.mean([above.logEvidence, below.logEvidence]) }
    }

    private var statuses: [Status]

    /// - Parameters:
    ///   - statuses: how many statuses are compared, 1 to 16.
    ///   - bound: the ratio, in either direction, that is acceptable: 1 to 100.
    package init?(statuses count: Int, bound: Double, plannedRestarts: Int = 0) {
        guard (1...16).contains(count), bound >= 1,
            let above = RatioTest(bound: bound, side: .above, plannedRestarts: plannedRestarts),
            let below = RatioTest(bound: 1 / bound, side: .below, plannedRestarts: plannedRestarts)
        else { return nil }
        statuses = Array(repeating: Status(above: above, below: below), count: count)
    }

    /// Adds a tick in which "bad" means that a request ended with the status.
    ///
    /// - Parameter status: the number of the status, from 0. Ignored unless it exists.
    package mutating func add(_ tick: EvidenceTick, status: Int) {
        guard statuses.indices.contains(status) else { return }
        statuses[status].above.add(tick)
        statuses[status].below.add(tick)
    }

    /// Begins another sum for each status, as `RatioTest.restart`.
    package mutating func restart() {
        for status in statuses.indices {
            statuses[status].above.restart()
            statuses[status].below.restart()
        }
    }

    /// ln E.
    package var logEvidence: Double { LogSpace.mean(statuses.map(\.logEvidence)) }

    /// ln E of one status; 0 for one that does not exist.
    package func logEvidence(ofStatus status: Int) -> Double {
        statuses.indices.contains(status) ? statuses[status].logEvidence : 0
    }

    /// The sums of all tests, for `restore`.
    package var stored: [[Double]] { statuses.flatMap { [$0.above.stored, $0.below.stored] } }

    /// Continues with stored sums.
    ///
    /// - Returns: false, without a change, if they are not those of such tests.
    package mutating func restore(_ stored: [[Double]]) -> Bool {
        guard stored.count == 2 * statuses.count else { return false }
        var restored = statuses
        for status in restored.indices {
            guard restored[status].above.restore(stored[2 * status]),
                restored[status].below.restore(stored[2 * status + 1])
            else { return false }
        }
        statuses = restored
        return true
    }
}
