internal import Glibc

/// Sums and means of numbers that are given by their natural logarithms, so that neither 1e-300 nor
/// 1e300 underflows or overflows.
package enum LogSpace {
    /// `ln Σ exp x`; -∞ for no values.
    package static func sum(_ values: [Double]) -> Double {
        guard let largest = values.max(), largest > -.infinity else { return -.infinity }
        guard largest < .infinity else { return .infinity }
        var scaled = 0.0
        for value in values { scaled += exp(value - largest) }
        return largest + log(scaled)
    }

    /// `ln (Σ exp x / n)`: the logarithm of the mean; -∞ for no values.
    package static func mean(_ values: [Double]) -> Double {
        values.isEmpty ? -.infinity : sum(values) - log(Double(values.count))
    }

    /// `ln Σ w exp x`, for weights that are positive and sum to 1.
    package static func mean(_ parts: [(weight: Double, log: Double)]) -> Double {
        sum(parts.map { $0.log + log($0.weight) })
    }

    /// `ln (1 - exp x)` for `x` ≤ 0, exact for both small and large `exp x`.
    static func complement(_ value: Double) -> Double {
        guard value < 0 else { return -.infinity }
        return value > -0.693 ? log(-expm1(value)) : log1p(-exp(value))
    }
}
