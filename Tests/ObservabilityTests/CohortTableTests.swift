internal import Evidence
internal import GRPCWire
internal import Rollouts
internal import Testing

@testable internal import Observability

@Suite("The counts of requests by the second in which they started")
struct CohortTableTests {
    private static let second: UInt64 = 1_000_000_000

    @Test("contain requests, failures, keys, statuses and latencies of each side")
    func counts() throws {
        let table = CohortTable()
        let start = 100 * Self.second
        for (code, key) in [
            (.ok, nil), (.unavailable, nil), (.unavailable, 7), (.unavailable, 7), (.notFound, 8),
            (.cancelled, nil),
        ] as [(StatusCode, UInt64?)] {
            table.started(isCandidate: true, isKeyed: key != nil, at: start)
            table.ended(
                code, isCandidate: true, key: key, startedAt: start, nanoseconds: 5_000_000)
        }
        table.started(isCandidate: false, isKeyed: false, at: start)
        let cohort = try #require(table.take(at: 111 * Self.second).first)
        #expect(cohort.second == 100)
        let candidate = cohort.candidate
        #expect(candidate.started == 6 && candidate.unkeyed == 3)
        #expect(candidate.bad == 1 && candidate.keyedBad == 2 && candidate.badKeys == [7])
        #expect(candidate.statuses == [0, 1, 0, 0, 0, 0, 0, 0, 1])
        #expect(candidate.latencies.count(upTo: .max) == 6)
        #expect(cohort.baseline.started == 1)
        #expect(cohort.baseline.latencies.count(upTo: .max) == 0)
    }

    @Test("are taken once, when their requests can be judged")
    func takes() {
        let table = CohortTable()
        for second in 100..<105 as Range<UInt64> {
            table.started(isCandidate: true, isKeyed: false, at: second * Self.second)
        }
        #expect(table.take(at: 110 * Self.second + 999_999_999).isEmpty)
        #expect(table.take(at: 113 * Self.second).map(\.second) == [100, 101, 102])
        #expect(table.take(at: 113 * Self.second).isEmpty)
        // A result after that is not counted.
        table.ended(
            .unavailable, isCandidate: true, key: nil, startedAt: 100 * Self.second,
            nanoseconds: 1)
        #expect(table.take(at: 130 * Self.second).map(\.second) == [103, 104])
        #expect(table.take(at: 5).isEmpty)
    }

    @Test("are judged early when all requests have ended, in the order of the seconds")
    func early() {
        let table = CohortTable()
        func start(_ second: UInt64) {
            table.started(isCandidate: true, isKeyed: false, at: second * Self.second)
        }
        func end(_ second: UInt64) {
            table.ended(
                .ok, isCandidate: true, key: nil, startedAt: second * Self.second, nanoseconds: 1)
        }
        for second in [100, 101, 102] as [UInt64] { start(second) }
        end(101)
        end(102)
        #expect(table.take(at: 103 * Self.second).isEmpty)
        end(100)
        #expect(table.take(at: 102 * Self.second).map(\.second) == [100, 101])
        // More requests can still start in the present second.
        start(102)
        #expect(table.take(at: 103 * Self.second).isEmpty)
        end(102)
        #expect(table.take(at: 103 * Self.second).map(\.candidate.started) == [2])
    }

    @Test(
        "wait for the latest deadline, from the least horizon to the largest",
        arguments: [
            (0, 111), (5, 111), (10, 111), (11, 113), (20, 122), (26, 128), (27, 129),
            (28, 129), (3_600, 129),
        ] as [(UInt64, UInt64)])
    func deadlines(seconds: UInt64, judged: UInt64) {
        let table = CohortTable()
        table.started(isCandidate: true, isKeyed: false, at: 100 * Self.second)
        table.waits(
            forRequestStartedAt: 100 * Self.second, until: (100 + seconds) * Self.second)
        table.waits(forRequestStartedAt: 100 * Self.second, until: 101 * Self.second)
        table.waits(forRequestStartedAt: 99 * Self.second, until: .max)
        #expect(table.take(at: judged * Self.second - 1).isEmpty)
        #expect(table.take(at: judged * Self.second).count == 1)
    }

    @Test("count a request that ends later in the second of its start")
    func late() throws {
        let table = CohortTable()
        let start = 100 * Self.second + 900_000_000
        table.started(isCandidate: false, isKeyed: false, at: start)
        table.started(isCandidate: false, isKeyed: false, at: start + 3 * Self.second)
        table.ended(
            .internalError, isCandidate: false, key: nil, startedAt: start,
            nanoseconds: 5 * Self.second)
        let cohorts = table.take(at: 120 * Self.second)
        #expect(cohorts.map(\.baseline.started) == [1, 1])
        #expect(cohorts.map(\.baseline.bad) == [1, 0])
    }

    @Test("use a row again when the table is full, and lose only the counts of its old second")
    func wraps() {
        let table = CohortTable()
        let seconds = UInt64(CohortTable.seconds)
        table.started(isCandidate: true, isKeyed: false, at: 100 * Self.second)
        table.started(isCandidate: true, isKeyed: false, at: (100 + seconds) * Self.second)
        table.ended(
            .unavailable, isCandidate: true, key: nil, startedAt: 100 * Self.second,
            nanoseconds: 1)
        let cohorts = table.take(at: (120 + seconds) * Self.second)
        #expect(cohorts.map(\.second) == [100 + seconds])
        #expect(cohorts.map(\.candidate.bad) == [0])
    }

    @Test("keep a bounded sample of keys, the same in each second")
    func keys() throws {
        let table = CohortTable()
        for second in 100..<104 as Range<UInt64> {
            for key in 0..<10_000 as Range<UInt64> {
                table.started(isCandidate: true, isKeyed: true, at: second * Self.second)
                table.ended(
                    .unavailable, isCandidate: true, key: key, startedAt: second * Self.second,
                    nanoseconds: 1)
            }
        }
        let cohorts = table.take(at: 120 * Self.second)
        #expect(cohorts.count == 4)
        let sample = try #require(cohorts.last).candidate.badKeys
        #expect(sample.count > 20 && sample.count <= CohortTable.keysPerSide)
        for cohort in cohorts {
            #expect(cohort.candidate.keyedBad == 10_000)
            #expect(Set(cohort.candidate.badKeys) == Set(sample))
        }
    }

    @Test("survive any code and duration")
    func extremes() throws {
        let table = CohortTable()
        for code in [-1, 0, 16, 17, .max, .min] {
            for nanoseconds in [0, 1, .max] as [UInt64] {
                table.started(isCandidate: true, isKeyed: false, at: .max)
                table.ended(
                    StatusCode(rawValue: code), isCandidate: true, key: nil, startedAt: .max,
                    nanoseconds: nanoseconds)
                table.started(isCandidate: true, isKeyed: false, at: 0)
            }
        }
        #expect(table.take(at: .max).map(\.candidate.started) == [18])
    }
}

extension CohortTable {
    /// Takes the counts that can be judged at a time.
    fileprivate func take(at now: UInt64) -> [Cohort] { take(before: firstUnjudged(at: now)) }
}
