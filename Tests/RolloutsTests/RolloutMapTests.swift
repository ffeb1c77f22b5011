internal import Testing
internal import TrafficPolicy

@testable internal import Rollouts

@Suite("The preview of the affinity map")
struct RolloutMapTests {
    @Test("moves only the keys of each step, and none for a shadow")
    func moved() throws {
        let baseline = TrafficWeights(all: "v1")
        let preview = RolloutPreview(
            try plan(gates: ["errors<2x"]), map: AffinityMap(owner: "v1"), baseline: baseline,
            requestsPerSecond: 20, errorShare: 0.002)
        let moved = preview.steps.map(\.movedShare)
        #expect(moved[0] == 0)
        for (share, expected) in zip(moved, [0, 0.1, 0.4, 0.5]) {
            #expect(abs(share - expected) < 1e-9)
        }
        let time = try #require(preview.steps[1].timeToProof)
        #expect(time > .seconds(45 * 60) && time < .seconds(60 * 60))
        #expect(preview.steps[0].timeToProof == nil && preview.steps[3].timeToProof == nil)
    }

    @Test("scales the weights of several backends")
    func weights() throws {
        let baseline = try TrafficWeights([("a", 0.75), ("b", 0.25)])
        let weights = try #require(
            RolloutPreview.weights(baseline, candidate: "c", weight: 0.2))
        #expect(weights == (try TrafficWeights([("a", 0.6), ("b", 0.2), ("c", 0.2)])))
        #expect(RolloutPreview.weights(baseline, candidate: "c", weight: 0) == baseline)
        #expect(
            RolloutPreview.weights(baseline, candidate: "c", weight: 1) == TrafficWeights(all: "c"))
        #expect(RolloutPreview.weights(baseline, candidate: "a", weight: 0.2) == nil)
        #expect(RolloutPreview.weights(baseline, candidate: "c", weight: .nan) == nil)
    }
}
