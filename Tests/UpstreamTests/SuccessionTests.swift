internal import Testing

@testable internal import Upstream

@Suite struct SuccessionTests {
    /// In this order: the new process is healthy, has ended, is late; the old one is healthy; the
    /// group is stopped; a newer update waits.
    @Test(
        "The step for a new process depends on both processes and on newer updates",
        arguments: [
            ("------", Succession.Step.wait), ("---+--", .wait), ("+--+--", .replace),
            ("+-++-+", .replace), ("-+-+--", .keepOld), ("--++--", .keepOld), ("---++-", .giveWay),
            ("-+----", .replace), ("--+---", .replace), ("---+-+", .giveWay), ("-----+", .giveWay),
            ("-+++-+", .giveWay),
        ])
    func decides(facts: String, step: Succession.Step) {
        let flags = facts.map { $0 == "+" }
        let succession = Succession(
            newIsHealthy: flags[0], newHasEnded: flags[1], isLate: flags[2],
            oldIsHealthy: flags[3], isStopped: flags[4], isSuperseded: flags[5])
        #expect(succession.step == step)
    }
}
