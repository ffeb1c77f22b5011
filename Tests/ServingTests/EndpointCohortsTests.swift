internal import GRPCWire
internal import Observability
internal import Rollouts
internal import Testing

@testable internal import Serving

@Suite("The counts of an endpoint by method")
struct EndpointCohortsTests {
    @Test("are separate for the first methods, and common for the others and unknown ones")
    func methods() {
        var cohorts = EndpointCohorts(.init(rollout: 7, candidate: "v2"))
        let second: UInt64 = 1_000_000_000
        for number in 0..<20 {
            for _ in 0..<2 {
                let table = cohorts.table(of: "/x.Y/\(number)")
                table.started(isCandidate: true, isKeyed: false, at: 5 * second)
                table.ended(
                    .ok, isCandidate: true, key: nil, startedAt: 5 * second, nanoseconds: 1)
            }
        }
        cohorts.table(of: nil).started(isCandidate: false, isKeyed: false, at: 7 * second)
        #expect(cohorts.firstUnjudged(at: 9 * second) == 7)
        let taken = cohorts.take(before: 7)
        #expect(taken.count == EndpointCohorts.maxMethods + 1)
        for cohort in taken {
            let isCommon = cohort.method.isEmpty
            #expect(cohort.candidate.started == (isCommon ? 24 : 2))
        }
        #expect(cohorts.take(before: 8).map(\.baseline.started) == [1])
    }
}
