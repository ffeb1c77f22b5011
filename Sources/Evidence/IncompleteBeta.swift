internal import Glibc

/// The regularised incomplete beta function in log space.
enum IncompleteBeta {
    /// The terms of the continued fraction that are computed at most. About `sqrt(a + b)` are
    /// needed, so this suffices for 1e11 requests.
    static let maxTerms = 1 << 20

    /// `ln B(a, b)`.
    static func logBeta(_ a: Double, _ b: Double) -> Double {
        logGamma(a) + logGamma(b) - logGamma(a + b)
    }

    /// `ln Γ(x)` for positive `x`. The variant of C's `lgamma` without a sign stores that in a
    /// global variable, which two threads could write.
    private static func logGamma(_ value: Double) -> Double {
        let (result, _): (Double, Int) = lgamma(value)
        return result
    }

    /// `ln I_x(a, b)` and `ln (1 − I_x(a, b))`.
    ///
    /// - Parameters:
    ///   - x: above 0 and below 1.
    ///   - a: positive, as is `b`.
    /// - Returns: nil if the continued fraction does not converge.
    ///
    /// Source: Numerical Recipes, 3rd edition, section 6.4, with Lentz's method.
    static func logs(_ x: Double, _ a: Double, _ b: Double) -> (lower: Double, upper: Double)? {
        // On this side of the mean, the fraction converges fast, and the other side follows.
        if x < (a + 1) / (a + b + 2) {
            guard let lower = logLower(x, a, b) else { return nil }
            return (lower, LogSpace.complement(lower))
        }
        guard let upper = logLower(1 - x, b, a, complement: x) else { return nil }
        return (LogSpace.complement(upper), upper)
    }

    /// - Parameter complement: 1 − x, if it is known more exactly than that difference.
    private static func logLower(
        _ x: Double, _ a: Double, _ b: Double, complement: Double? = nil
    ) -> Double? {
        guard let fraction = fraction(x, a, b) else { return nil }
        let logComplement = complement.map { log($0) } ?? log1p(-x)
        let value =
            a * log(x) + b * logComplement - logBeta(a, b) - log(a) + log(fraction)
        return min(0, value)
    }

    private static func fraction(_ x: Double, _ a: Double, _ b: Double) -> Double? {
        let tiny = 1e-300
        func away(_ value: Double) -> Double { abs(value) < tiny ? tiny : value }
        var c = 1.0
        var d = 1 / away(1 - (a + b) * x / (a + 1))
        var result = d
        for term in 1...maxTerms {
            let m = Double(term)
            let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            d = 1 / away(1 + even * d)
            c = away(1 + even / c)
            result *= d * c
            let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            d = 1 / away(1 + odd * d)
            c = away(1 + odd / c)
            let factor = d * c
            result *= factor
            if abs(factor - 1) < 1e-15 { return result.isFinite ? result : nil }
        }
        return nil
    }
}
