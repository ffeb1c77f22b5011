internal import Evidence
package import GRPCWire
package import Rollouts

/// The requests of one method of an endpoint under rollout on one loop, by the second in which they
/// started. Confined to its loop.
///
/// A fixed table: counting a request allocates nothing and takes no lock. Results that arrive when
/// the counts of their second were taken are not counted.
package final class CohortTable {
    /// The counts of one second.
    package struct Cohort: Equatable, Sendable {
        /// The second of the loops' clock.
        package let second: UInt64
        /// The path of the method; empty for all methods that are not counted separately.
        package var method = ""
        package var candidate: SideCounts
        package var baseline: SideCounts
    }

    /// The requests of a second are judged when all of them have ended, or when this number of
    /// seconds has passed since then.
    package static let horizon: UInt64 = 10
    /// The same if a request has a later deadline: at most this number of seconds.
    package static let maxHorizon: UInt64 = 28
    /// The seconds that the table holds: a power of two above `maxHorizon`.
    static let seconds = 32
    /// The keys of bad requests that are kept for a side of one second. Beyond, only keys with a
    /// small second hash are kept.
    static let keysPerSide = 128

    /// The columns of one side of one second.
    private enum Column {
        static let started = 0
        static let unkeyed = 1
        static let bad = 2
        static let keyedBad = 3
        static let keys = 4
        static let statuses = 5
        static let buckets = statuses + SideCounts.statusCodes.count
        static let count = buckets + LatencyCounts.buckets
    }

    /// Statuses that are the server's fault, one bit for each code.
    private static let badCodes: UInt32 = StatusCode.serverFaults.reduce(0) {
        $0 | 1 << UInt32($1.rawValue)
    }
    /// The column of a code; 0 for codes that are not compared.
    private static let statusColumns = (0..<UInt8(StatusCode.names.count)).map { code in
        SideCounts.statusCodes.firstIndex(of: code).map { Column.statuses + $0 } ?? 0
    }

    /// The second of each row; `.max` for a row without counts.
    private var rows = [UInt64](repeating: .max, count: seconds)
    /// The last second to wait for the requests of each row.
    private var horizons = [UInt64](repeating: 0, count: seconds)
    private var counts = [UInt32](repeating: 0, count: seconds * 2 * Column.count)
    private var keys = [UInt64](repeating: 0, count: seconds * 2 * keysPerSide)
    /// A key is kept if its second hash begins with this number of zeros.
    private var zeros = 0

    package init() {}

    private static func row(_ second: UInt64) -> Int {
        Int(truncatingIfNeeded: second) & (seconds - 1)
    }

    private static func side(_ row: Int, isCandidate: Bool) -> Int {
        row * 2 + (isCandidate ? 1 : 0)
    }

    /// Counts a request that starts.
    ///
    /// - Parameter nanoseconds: the time of the loop's clock.
    package func started(isCandidate: Bool, isKeyed: Bool, at nanoseconds: UInt64) {
        let second = nanoseconds / 1_000_000_000
        let row = Self.row(second)
        if rows[row] != second {
            // A retry belongs to the second in which its call started, which may be over.
            guard rows[row] == .max || rows[row] < second else { return }
            clear(row, for: second)
        }
        let base = Self.side(row, isCandidate: isCandidate) * Column.count
        counts[base + Column.started] &+= 1
        if !isKeyed { counts[base + Column.unkeyed] &+= 1 }
    }

    /// Waits for a request that has a deadline.
    ///
    /// - Parameters:
    ///   - start: when the request started.
    ///   - deadline: in nanoseconds of the loop's clock.
    package func waits(forRequestStartedAt start: UInt64, until deadline: UInt64) {
        // Most deadlines are within the least horizon.
        guard deadline &- start > Self.horizon * 1_000_000_000 else { return }
        let second = start / 1_000_000_000
        let row = Self.row(second)
        guard rows[row] == second else { return }
        let last = min(second &+ Self.maxHorizon, deadline / 1_000_000_000 &+ 1)
        if last > horizons[row] { horizons[row] = last }
    }

    /// Counts the end of an attempt at the backend.
    ///
    /// - Parameters:
    ///   - key: the point of the shard key; nil without one.
    ///   - start: when the request started.
    ///   - nanoseconds: the duration.
    package func ended(
        _ code: StatusCode, isCandidate: Bool, key: UInt64?, startedAt start: UInt64,
        nanoseconds: UInt64
    ) {
        let second = start / 1_000_000_000
        let row = Self.row(second)
        guard rows[row] == second else { return }
        let side = Self.side(row, isCandidate: isCandidate)
        let base = side * Column.count
        counts[base + Column.buckets + LatencyCounts.bucket(nanoseconds: nanoseconds)] &+= 1
        let raw = code.counted.rawValue
        guard raw != 0 else { return }
        if Self.badCodes & 1 << UInt32(truncatingIfNeeded: raw) != 0 {
            if let key {
                counts[base + Column.keyedBad] &+= 1
                keep(key, side)
            } else {
                counts[base + Column.bad] &+= 1
            }
        }
        let column = Self.statusColumns[raw]
        if column > 0 { counts[base + column] &+= 1 }
    }

    private func clear(_ row: Int, for second: UInt64) {
        rows[row] = second
        horizons[row] = second &+ Self.horizon
        let start = row * 2 * Column.count
        for index in start..<start + 2 * Column.count { counts[index] = 0 }
    }

    // MARK: Keys

    private func keep(_ key: UInt64, _ side: Int) {
        guard FirstFailures.hash(key).leadingZeroBitCount >= zeros else { return }
        let countIndex = side * Column.count + Column.keys
        var count = Int(counts[countIndex])
        let start = side * Self.keysPerSide
        if keys[start..<start + count].contains(key) { return }
        while count == Self.keysPerSide, zeros < 64 {
            zeros += 1
            count = thin(start, count)
        }
        if FirstFailures.hash(key).leadingZeroBitCount >= zeros, count < Self.keysPerSide {
            keys[start + count] = key
            count += 1
        }
        counts[countIndex] = UInt32(count)
    }

    /// Removes the keys that no longer count from a side, and returns the number of the others.
    private func thin(_ start: Int, _ count: Int) -> Int {
        var kept = 0
        for index in start..<start + count
        where FirstFailures.hash(keys[index]).leadingZeroBitCount >= zeros {
            keys[start + kept] = keys[index]
            kept += 1
        }
        return kept
    }

    // MARK: Taking

    /// The first second whose requests cannot be judged yet. Seconds are judged in order.
    ///
    /// - Parameter now: the time of the loop's clock, in nanoseconds.
    package func firstUnjudged(at now: UInt64) -> UInt64 {
        let second = now / 1_000_000_000
        var first = second
        for row in rows.indices where rows[row] < first {
            if second <= horizons[row], isWaiting(row) { first = rows[row] }
        }
        return first
    }

    /// Whether a request of a row has not ended. Requests that end are counted only by their
    /// durations, so that nothing more is counted for each.
    private func isWaiting(_ row: Int) -> Bool {
        [true, false].contains { isCandidate in
            let base = Self.side(row, isCandidate: isCandidate) * Column.count
            let ended = counts[base + Column.buckets..<base + Column.count].reduce(0, &+)
            return ended != counts[base + Column.started]
        }
    }

    /// Takes the counts of the seconds before one.
    package func take(before end: UInt64) -> [Cohort] {
        var cohorts: [Cohort] = []
        for row in rows.indices where rows[row] < end {
            cohorts.append(
                Cohort(
                    second: rows[row],
                    candidate: counts(ofSide: Self.side(row, isCandidate: true)),
                    baseline: counts(ofSide: Self.side(row, isCandidate: false))))
            rows[row] = .max
        }
        return cohorts.sorted { $0.second < $1.second }
    }

    private func counts(ofSide side: Int) -> SideCounts {
        let base = side * Column.count
        var counts = SideCounts()
        counts.started = UInt64(self.counts[base + Column.started])
        counts.unkeyed = UInt64(self.counts[base + Column.unkeyed])
        counts.bad = UInt64(self.counts[base + Column.bad])
        counts.keyedBad = UInt64(self.counts[base + Column.keyedBad])
        let first = side * Self.keysPerSide
        counts.badKeys = keys[first..<first + Int(self.counts[base + Column.keys])]
            // A later second may have raised the bar for all keys.
            .filter { FirstFailures.hash($0).leadingZeroBitCount >= zeros }
        for status in counts.statuses.indices {
            counts.statuses[status] = UInt64(self.counts[base + Column.statuses + status])
        }
        for bucket in 0..<LatencyCounts.buckets {
            let count = self.counts[base + Column.buckets + bucket]
            if count > 0 { counts.latencies.add(count, toBucket: bucket) }
        }
        return counts
    }
}

/// A side of an endpoint under rollout, for the calls of one target.
package struct CohortSide {
    package let table: CohortTable
    package let isCandidate: Bool

    package init(_ table: CohortTable, isCandidate: Bool) {
        self.table = table
        self.isCandidate = isCandidate
    }
}

extension CohortTable.Cohort {
    /// Adds the counts of another loop or server for the same second.
    package mutating func add(_ other: CohortTable.Cohort) {
        candidate.add(other.candidate)
        baseline.add(other.baseline)
    }
}

extension StatusCode {
    /// The statuses that are the server's fault, as rollouts judge.
    static let serverFaults: [StatusCode] = [
        .unknown, .deadlineExceeded, .resourceExhausted, .unimplemented, .internalError,
        .unavailable, .dataLoss,
    ]

    /// Whether the server caused the failure, as rollouts judge.
    package var isServerFault: Bool { Self.serverFaults.contains(self) }
}
