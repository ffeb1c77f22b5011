internal import StateStores
internal import Testing

@testable internal import ControlPlane

@Suite struct StoreProblemTests {
    @Test("A problem is reported at once, every minute, and when it changes")
    func reports() {
        let lost = StoreProblem(.unavailable("no endpoint"))
        let otherwise = StoreProblem(.unavailable("another reason"))
        let diverged = StoreProblem(.foreign("restored"))
        var reports = StoreProblemReports()
        let start = ContinuousClock.now
        let steps: [(Int, StoreProblem, Bool)] = [
            (0, lost, true), (1, lost, false), (2, otherwise, false), (59, lost, false),
            (60, lost, true), (61, diverged, true), (120, diverged, false), (121, diverged, true),
            (122, lost, true), (123, diverged, true),
        ]
        for (seconds, problem, isReported) in steps {
            let time = start.advanced(by: .seconds(seconds))
            let reported = reports.shouldReport(problem, at: time)
            #expect(reported == isReported, "after \(seconds) s")
        }
        reports.reset()
        let isNew = reports.shouldReport(diverged, at: start.advanced(by: .seconds(124)))
        #expect(isNew)
    }

    @Test("Only a reachable store needs a decision")
    func needsDecisions() {
        let errors: [(StoreError, Bool)] = [
            (.foreign("restored"), true), (.damaged("page 7"), true), (.unavailable("down"), false),
            (.held("process 7"), false), (.refused("no password"), false),
            (.conflict(latest: 3), false),
        ]
        for (error, needsDecision) in errors {
            let problem = StoreProblem(error)
            #expect(problem.kind.needsDecision == needsDecision, "\(error)")
            #expect(problem.reason == error.description)
            #expect(error.isAboutContent == needsDecision)
        }
    }
}
