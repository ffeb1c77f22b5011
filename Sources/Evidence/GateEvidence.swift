internal import Glibc

/// The evidence of several gates as one: `E = Σ u_g E_g`.
///
/// The weights are positive, sum to 1 and are fixed before the rollout. E is then valid at the same
/// level as each gate alone, so a rollout with five gates has one level and not five.
package enum GateEvidence {
    /// ln E of gates with equal weights. 0 without gates.
    package static func log(_ gates: [Double]) -> Double {
        gates.isEmpty ? 0 : LogSpace.mean(gates)
    }

    /// ln(1/α): the evidence at which a gate fails or passes.
    ///
    /// - Parameter alpha: the level, above 0 and below 1.
    /// - Returns: nil for other values.
    package static func threshold(alpha: Double) -> Double? {
        alpha > 0 && alpha < 1 ? -Glibc.log(alpha) : nil
    }
}
