/// Why a set of weights or a proportion is invalid. Each case names the invalid value.
package enum PolicyError: Error, Equatable, Sendable {
    case noWeights
    case tooManyBackends(count: Int)
    case notFinite(backend: String, value: Double)
    case negative(backend: String, value: Double)
    case duplicate(backend: String)
    case sumNotOne(sum: Double)
    case proportionOutOfRange(backend: String, value: Double)
}

extension PolicyError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noWeights:
            "no weights: give at least one backend, for example backend1=1"
        case .tooManyBackends(let count):
            "\(count) backends: an endpoint splits traffic between at most "
                + "\(TrafficWeights.maximumBackends)"
        case .notFinite(let backend, let value):
            "weight of backend '\(backend)' is \(value): it must be a finite number"
        case .negative(let backend, let value):
            "weight of backend '\(backend)' is \(value): it must not be negative"
        case .duplicate(let backend):
            "duplicate backend '\(backend)'"
        case .sumNotOne(let sum):
            "the weights sum to \(sum): they must sum to 1 (within 1e-6)"
        case .proportionOutOfRange(let backend, let value):
            "proportion of shadow '\(backend)' is \(value): it must be within 0 and 1"
        }
    }
}

/// A validated traffic policy: backend → weight, and each backend's exact share of [0, 2^64).
///
/// Backends of weight 0 are removed from the policy.
package struct TrafficWeights: Equatable, Sendable {
    /// The maximum difference between the sum of the weights and 1.
    package static let tolerance = 1e-6

    /// The maximum number of backends of an endpoint, because each has at least one interval.
    package static let maximumBackends = AffinityMap.maximumIntervals

    /// Backends with their normalised weights, in name order; every weight is positive.
    package let weights: [(backend: String, weight: Double)]

    /// The number of points of [0, 2^64) that each backend owns; they sum to exactly 2^64.
    package let shares: [String: UInt128]

    package init(_ pairs: [(backend: String, weight: Double)]) throws(PolicyError) {
        var seen = Set<String>()
        for (backend, weight) in pairs {
            guard seen.insert(backend).inserted else { throw .duplicate(backend: backend) }
            guard weight.isFinite else { throw .notFinite(backend: backend, value: weight) }
            guard weight >= 0 else { throw .negative(backend: backend, value: weight) }
        }
        guard !pairs.isEmpty else { throw .noWeights }
        guard pairs.count <= Self.maximumBackends else {
            throw .tooManyBackends(count: pairs.count)
        }
        let sum = Self.compensatedSum(pairs.map(\.weight))
        guard abs(sum - 1) <= Self.tolerance else {
            // For infinity, the compensation is NaN.
            throw .sumNotOne(sum: sum.isNaN ? .infinity : sum)
        }
        let kept = pairs.filter { $0.weight > 0 }.sorted { $0.backend < $1.backend }
        weights = kept.map { ($0.backend, $0.weight / sum) }
        shares = Self.exactShares(of: weights)
    }

    /// A policy that routes all requests to one backend.
    package init(all backend: String) {
        weights = [(backend, 1)]
        shares = [backend: AffinityMap.space]
    }

    /// Weights from a store, unchanged, because normalising them again would change their last
    /// bits. Nil if they are invalid.
    package init?(stored weights: [(backend: String, weight: Double)]) {
        guard let again = try? TrafficWeights(weights), again.weights.count == weights.count,
            zip(again.weights, weights).allSatisfy({ $0.backend == $1.backend })
        else { return nil }
        self.weights = weights
        shares = Self.exactShares(of: weights)
    }

    /// The policy that corresponds to the shares of a map.
    package init(shares: [String: UInt128]) {
        weights = shares.sorted { $0.key < $1.key }.map { ($0.key, Double($0.value) / 0x1p64) }
        self.shares = shares
    }

    /// `v1=0.9 v2=0.1`
    package var inWords: String {
        weights.map { "\($0.backend)=\(Self.shown($0.weight))" }.joined(separator: " ")
    }

    /// A weight without the last bits, which products of weights leave.
    private static func shown(_ weight: Double) -> Double {
        let rounded = (weight * 1e12).rounded() / 1e12
        return rounded > 0 ? rounded : weight
    }

    package static func == (left: Self, right: Self) -> Bool { left.shares == right.shares }

    /// Rounds each weight to whole points and adds the rounding difference to the largest, so that
    /// the shares cover the space and each equals its weight to within 2^-52.
    ///
    /// - Parameter weights: at least one and at most `maximumBackends`, not negative, with a sum of
    ///   1 within `tolerance`. Therefore no share exceeds 2^65, and the largest share exceeds any
    ///   correction for rounding and tolerance.
    private static func exactShares(
        of weights: [(backend: String, weight: Double)]
    ) -> [String: UInt128] {
        var shares: [String: UInt128] = [:]
        var left = Int128(AffinityMap.space)
        var largest = weights[0]
        for entry in weights {
            let width = UInt128((entry.weight * 0x1p64).rounded())
            shares[entry.backend] = width
            left -= Int128(width)
            if entry.weight > largest.weight { largest = entry }
        }
        let corrected = Int128(shares[largest.backend] ?? 0) + left
        shares[largest.backend] = UInt128(corrected)
        return shares.filter { $0.value > 0 }
    }

    /// Neumaier's sum, so that rounding errors of many small weights do not accumulate.
    private static func compensatedSum(_ values: [Double]) -> Double {
        var sum = 0.0
        var lost = 0.0
        for value in values {
            let next = sum + value
            lost += abs(sum) >= abs(value) ? (sum - next) + value : (value - next) + sum
            sum = next
        }
        return sum + lost
    }
}
