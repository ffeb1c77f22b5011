internal import Glibc

/// Evidence that a share of bad results is above, or below, a limit: differences of shadow copies,
/// or an absolute budget of errors.
///
/// ```
///   ln E_above = lnB(½+S, ½+F) + ln(1−I_p(½+S, ½+F)) − lnB(½, ½) − ln(1−I_p(½, ½))
///                − S ln p − F ln(1−p)
///   ln E_below = the same with I_p instead of 1−I_p
/// ```
///
/// S results are bad and F are good. This is the likelihood ratio of a Beta(½, ½) mixture,
/// truncated to the shares above (below) the limit p, to the share p. For each share on the other
/// side of p it is a supermartingale, so it reaches 1/α with probability at most α (Ville), however
/// often it is read. Zero bad of n results prove a share below p at n ≈ 3.78/p, for α = 0.05.
///
/// Source: Robbins, "Statistical methods related to the law of the iterated logarithm", Ann. Math.
/// Stat. 41, 1970: mixtures, here with the prior of Jeffreys.
package struct ShareTest: Equatable, Sendable {
    /// The limits that a test accepts.
    package static let limits = 1e-9...0.999

    /// p.
    package let limit: Double
    /// S and F.
    package private(set) var bad: Double = 0
    package private(set) var good: Double = 0

    /// - Parameter limit: nil unless it is within `limits`.
    package init?(limit: Double) {
        guard Self.limits.contains(limit) else { return nil }
        self.limit = limit
    }

    /// Adds results.
    ///
    /// - Parameter bad: how many of them were bad; at most all of them are counted.
    package mutating func add(bad: UInt64, of all: UInt64) {
        let bad = min(bad, all)
        self.bad += Double(bad)
        good += Double(all - bad)
    }

    /// ln E for one side of the limit; -∞, which never passes or fails a gate, if it cannot be
    /// computed.
    package func logEvidence(_ side: RatioTest.Side) -> Double {
        guard bad + good > 0 else { return 0 }
        guard let now = IncompleteBeta.logs(limit, bad + 0.5, good + 0.5),
            let before = IncompleteBeta.logs(limit, 0.5, 0.5)
        else { return -.infinity }
        let (part, prior) =
            side == .above ? (now.upper, before.upper) : (now.lower, before.lower)
        return IncompleteBeta.logBeta(bad + 0.5, good + 0.5) + part
            - IncompleteBeta.logBeta(0.5, 0.5) - prior - bad * log(limit) - good * log1p(-limit)
    }

    /// Continues with stored sums.
    ///
    /// - Returns: false, without a change, if they are not counts.
    package mutating func restore(bad: Double, good: Double) -> Bool {
        guard bad.isFinite, good.isFinite, bad >= 0, good >= 0 else { return false }
        (self.bad, self.good) = (bad, good)
        return true
    }
}
