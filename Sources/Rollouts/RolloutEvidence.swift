internal import Evidence

/// The evidence of all gates of a rollout.
package struct RolloutEvidence: Equatable, Sendable {
    /// The sums of one gate in a store.
    package struct StoredGate: Equatable, Sendable {
        package var gate: String
        package var sums: [[Double]] = []
        package var requests: UInt64 = 0
        package var candidateBad: UInt64 = 0
        package var baselineBad: UInt64 = 0

        package init(gate: String) { self.gate = gate }
    }

    /// One gate for display.
    package struct Report: Equatable, Sendable {
        package let gate: String
        /// Requests at the candidate that counted, and bad ones of each side.
        package let requests: UInt64
        package let candidateBad: UInt64
        package let baselineBad: UInt64
        /// ln E for failure; ln E for a pass, nil for a gate that only fails.
        package let logFailure: Double
        package let logPass: Double?
        package let hasPassed: Bool
        /// The ratio and its interval; nil for gates without a ratio. The estimate is nil before
        /// the first bad request.
        package let ratio: (lower: Double, estimate: Double?, upper: Double)?

        package static func == (left: Self, right: Self) -> Bool {
            left.gate == right.gate && left.requests == right.requests
                && left.logFailure == right.logFailure && left.logPass == right.logPass
        }
    }

    private let alpha: Double
    /// ln(1/α).
    package let threshold: Double
    private var gates: [GateTests]
    private var failures = FirstFailures()

    /// - Parameter plan: a checked plan.
    package init(_ plan: RolloutPlan) {
        alpha = plan.alpha
        threshold = GateEvidence.threshold(alpha: plan.alpha) ?? .infinity
        let restarts = min(plan.steps.count, RatioTest.maxRestarts)
        gates = plan.gates.compactMap { GateTests($0, plannedRestarts: restarts) }
    }

    /// Adds the counts of a tick whose requests can be judged.
    ///
    /// - Parameter servers: how many servers' counts are added.
    package mutating func add(_ counts: TickCounts, servers: Int = 1) {
        var first = (candidate: UInt64(0), baseline: UInt64(0))
        for point in counts.candidate.badKeys where failures.insert(point) { first.candidate += 1 }
        for point in counts.baseline.badKeys where failures.insert(point) { first.baseline += 1 }
        for index in gates.indices {
            gates[index].add(counts, firstFailures: first, servers: servers)
        }
    }

    /// A step begins.
    package mutating func restart() {
        for index in gates.indices { gates[index].restart() }
    }

    /// ln E of all gates together: the mean of E, so that the rollout has one level.
    package var logFailure: Double { GateEvidence.log(gates.map(\.logFailure)) }

    /// The failed gate as text; nil if none has failed.
    package var failure: String? {
        guard logFailure >= threshold,
            let worst = gates.max(by: { $0.logFailure < $1.logFailure })
        else { return nil }
        return "\(worst.gate.text): \(worst.candidateBad) bad of \(worst.requests) requests"
            + " at the candidate, \(worst.baselineBad) bad at the baseline"
            + Self.text(worst.range(alpha: alpha).map { ($0.lower, $0.estimate, $0.upper) })
    }

    /// Whether each gate has passed. Gates without a pass count as passed while they have not
    /// failed.
    ///
    /// - Parameter isShadowStep: whether only copies are sent, whose latency and statuses are not
    ///   compared.
    package func isProven(isShadowStep: Bool = false) -> Bool {
        gates.allSatisfy { gate in
            if isShadowStep, !gate.gate.judgesCopies { return true }
            return gate.logPass.map { $0 >= threshold } ?? true
        }
    }

    package var reports: [Report] {
        gates.map { gate in
            let range = gate.range(alpha: alpha)
            return Report(
                gate: gate.gate.text, requests: gate.requests, candidateBad: gate.candidateBad,
                baselineBad: gate.baselineBad, logFailure: gate.logFailure, logPass: gate.logPass,
                hasPassed: gate.logPass.map { $0 >= threshold } ?? false,
                ratio: range.map { ($0.lower, $0.estimate, $0.upper) })
        }
    }

    /// `, ratio 1.9x (1.6x to 2.4x)`
    private static func text(_ range: (Double, Double?, Double)?) -> String {
        guard let range, let estimate = range.1 else { return "" }
        // Ratios outside the grid are known only to be outside.
        func ratio(_ value: Double) -> String {
            if value > 63.9 { return "over 64x" }
            return value < 0.0157 ? "under 0.02x" : "\((value * 100).rounded() / 100)x"
        }
        return ", ratio \(ratio(estimate)) (\(ratio(range.0)) to \(ratio(range.2)))"
    }

    // MARK: Storing

    package var stored: [StoredGate] { gates.map(\.stored) }

    /// The most keys that are stored: 64 KiB. Beyond, a thinned part of them is.
    package static let maxStoredKeys = 8_192

    /// The keys that have had a bad response.
    package var storedKeys: (points: [UInt64], zeros: Int) {
        failures.stored(limit: Self.maxStoredKeys)
    }

    /// Adds stored keys, so that they do not count again.
    package mutating func restore(keys: [UInt64], zeros: Int) {
        failures.restore(keys, zeros: zeros)
    }

    /// Continues with stored sums. Keys that failed before count once more unless they are
    /// restored.
    ///
    /// - Returns: false, without a change, if they are not those of the plan's gates.
    package mutating func restore(_ stored: [StoredGate]) -> Bool {
        guard stored.count == gates.count else { return false }
        var restored = gates
        for index in restored.indices where !restored[index].restore(stored[index]) {
            return false
        }
        gates = restored
        return true
    }
}
