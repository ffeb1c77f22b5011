internal import Glibc
package import TrafficPolicy

/// What a rollout would do, computed before it starts.
package struct RolloutPreview: Equatable, Sendable {
    package struct Step: Equatable, Sendable {
        package let text: String
        /// The share of all keys, 0 to 1, whose backend changes.
        package let movedShare: Double
        /// How long the proof of all gates takes at this step; nil if it cannot be proven there.
        package let timeToProof: Duration?
    }

    package let steps: [Step]

    /// The weights of an endpoint while the candidate has a share of the requests.
    ///
    /// - Parameters:
    ///   - baseline: the weights before the rollout, without the candidate.
    /// - Returns: nil if they are invalid.
    package static func weights(
        _ baseline: TrafficWeights, candidate: String, weight: Double
    ) -> TrafficWeights? {
        guard weight >= 0 else { return nil }
        guard weight > 0 else { return baseline }
        guard weight < 1 else { return TrafficWeights(all: candidate) }
        let rest = baseline.weights.map { (backend: $0.backend, weight: $0.weight * (1 - weight)) }
        return try? TrafficWeights(rest + [(backend: candidate, weight: weight)])
    }

    /// - Parameters:
    ///   - plan: a checked plan.
    ///   - map: the present affinity map, with the earlier ones in `history`.
    ///   - requestsPerSecond: the endpoint's traffic, as measured.
    ///   - errorShare: the share of bad requests, as measured.
    package init(
        _ plan: RolloutPlan, map: AffinityMap, history: [AffinityMap] = [],
        baseline: TrafficWeights, requestsPerSecond: Double, errorShare: Double
    ) {
        var (map, history) = (map, history)
        steps = plan.steps.indices.map { step in
            let weight = plan.weight(ofStep: step)
            var moved = 0.0
            if let weights = Self.weights(baseline, candidate: plan.candidate, weight: weight) {
                let change = map.changed(to: weights, history: history)
                history.append(map)
                (map, moved) = (change.map, change.movedShare)
            }
            return Step(
                text: plan.text(ofStep: step), movedShare: moved,
                timeToProof: Self.timeToProof(
                    plan, weight: weight, requestsPerSecond, errorShare: errorShare))
        }
    }

    /// The candidate requests after which an identical candidate is proven to have less than
    /// `ratio` times the errors, on average. Nil if that cannot be proven.
    ///
    /// Each bad request adds `ln(1 + s(r − 1)) − s ln r` to ln E_pass on average, of which the
    /// mixture costs little: the result is within a fifth of simulations.
    package static func requestsToProof(
        ratio: Double, weight: Double, errorShare: Double, alpha: Double
    ) -> Double? {
        guard weight > 0, weight < 1, ratio > 1, errorShare > 0, errorShare <= 1 else {
            return nil
        }
        let gain = log1p(weight * (ratio - 1)) - weight * log(ratio)
        let needed = (0.2 - log(alpha)) * weight / (errorShare * gain)
        return gain > 0 && needed.isFinite ? needed : nil
    }

    private static func timeToProof(
        _ plan: RolloutPlan, weight: Double, _ requestsPerSecond: Double, errorShare: Double
    ) -> Duration? {
        var longest = 0.0
        for gate in plan.gates {
            let needed: Double?
            switch (gate.measure, gate.limit) {
            case (.errors, .ratio(let ratio)):
                needed = requestsToProof(
                    ratio: ratio, weight: weight, errorShare: errorShare, alpha: plan.alpha)
            case (.errors, .share(let limit)):
                // Zero bad of n prove the limit at n = 3.78 / limit; errors need more.
                needed =
                    weight > 0 && errorShare < limit
                    ? 3.78 / limit / (1 - errorShare / limit) / (1 - errorShare / limit) : nil
            default: continue
            }
            guard let needed else { return nil }
            longest = max(longest, needed)
        }
        let perSecond = requestsPerSecond * weight
        guard longest > 0, perSecond > 0 else { return nil }
        let seconds = longest / perSecond
        // A year; longer times are not a plan.
        guard seconds.isFinite, seconds <= 31_536_000 else { return nil }
        return .seconds(seconds)
    }
}
