package import Observability
internal import Serving

/// What figures and ledgers say about a shadow: pure, so that a verdict can be tested without
/// traffic.
package struct ShadowFindings: Sendable {
    package enum Verdict: Sendable {
        case tooFew, fit, differs, late, unreachable

        /// Whether it speaks against giving the backend traffic.
        package var isBad: Bool {
            switch self {
            case .tooFew, .fit: false
            case .differs, .late, .unreachable: true
            }
        }
    }

    package struct FieldFinding: Sendable {
        package let index: Int
        package let share: Double
        package let noiseShare: Double
        package let isNoise: Bool
    }

    /// Compared answers below which nothing is said.
    static let leastCompared: UInt64 = 100
    /// Second copies below which nothing is taken for noise.
    static let leastNoiseCompared: UInt64 = 10
    /// A field differs beyond noise when its shares lie this far apart, as Diffy has it: relative
    /// to their sum, and absolutely.
    static let leastRelative = 0.2
    static let leastAbsolute = 0.0003

    package let figures: ShadowFigures
    package let content: DifferenceLedger.Content
    package let noiseCompared: UInt64
    /// In the order of `content.fields`.
    package let fields: [FieldFinding]
    private let allowedShare: Double

    package init(
        _ figures: ShadowFigures, _ content: DifferenceLedger.Content,
        noise noiseFigures: ShadowFigures, _ noise: DifferenceLedger.Content, allowedShare: Double
    ) {
        self.figures = figures
        self.content = content
        self.allowedShare = allowedShare
        noiseCompared = Self.compared(noiseFigures, noise)
        let compared = Double(max(1, Self.compared(figures, content)))
        let noiseCounts = Dictionary(
            zip(noise.fields, noise.counts).map { ($0, $1) }, uniquingKeysWith: { $1 })
        let noiseTotal = noiseCompared
        fields = content.fields.indices.map { index in
            let share = Double(content.counts[index]) / compared
            let count = noiseCounts[content.fields[index]] ?? 0
            let noiseShare = Double(count) / Double(max(1, noiseTotal))
            let isBeyond =
                share - noiseShare > Self.leastAbsolute
                && share - noiseShare > Self.leastRelative * (share + noiseShare)
            return FieldFinding(
                index: index, share: share, noiseShare: noiseShare,
                isNoise: noiseTotal >= Self.leastNoiseCompared && !isBeyond)
        }
    }

    private static func compared(
        _ figures: ShadowFigures, _ content: DifferenceLedger.Content
    ) -> UInt64 {
        figures.equal + content.same + content.differing
    }

    package var compared: UInt64 { Self.compared(figures, content) }

    package var equal: UInt64 { figures.equal + content.same }

    package var differing: UInt64 { content.differing }

    /// Pairs that differ in a field that is not noise.
    package var differingBeyondNoise: UInt64 {
        content.combinations.reduce(content.uncombined) { sum, combination in
            combination.key.contains { !fields[$0].isNoise } ? sum + combination.value : sum
        }
    }

    /// Pairs that are being looked into.
    package var pending: UInt64 {
        let done = content.same + content.differing + figures.overload
        return figures.unequal > done ? figures.unequal - done : 0
    }

    /// Copies that were too slow to be compared.
    private var late: UInt64 { figures.dropped(.deadline) + figures.dropped(.slow) }

    /// Copies that were not made because there was no room or no replica.
    private var notMade: UInt64 {
        figures.dropped(.inFlight) + figures.dropped(.bytes) + figures.dropped(.noReplica)
    }

    private var lateShare: Double { Double(late) / Double(max(1, late + compared)) }

    private var differingShare: Double { Double(differingBeyondNoise) / Double(max(1, compared)) }

    package var verdict: Verdict {
        if figures.dropped(.noReplica) >= Self.leastCompared,
            figures.dropped(.noReplica) > compared
        {
            return .unreachable
        }
        if late + compared >= Self.leastCompared, lateShare > allowedShare { return .late }
        guard compared >= Self.leastCompared else { return .tooFew }
        return differingShare > allowedShare ? .differs : .fit
    }

    /// The verdict as a sentence for people.
    package var explanation: String {
        switch verdict {
        case .unreachable:
            let all = figures.dropped(.noReplica) + compared
            return
                "UNREACHABLE: \(figures.dropped(.noReplica)) of \(all) copies found no usable "
                + "replica"
        case .late:
            return "LATE: \(Self.percent(lateShare)) of the copies had no answer in time"
        case .tooFew:
            return "TOO FEW: \(compared) answers compared, \(Self.leastCompared) are needed"
                + notMadeRemark
        case .differs:
            return
                "DIFFERS: \(Self.percent(differingShare)) of \(compared) answers\(worstField), "
                + "\(Self.percent(allowedShare)) may\(notMadeRemark)"
        case .fit:
            return
                "FIT: \(Self.percent(1 - differingShare)) of \(compared) answers agree"
                + "\(noiseRemark); \(latencyRemark)\(notMadeRemark)"
        }
    }

    /// Where most of the answers differ.
    private var worstField: String {
        let worst = fields.filter { !$0.isNoise }.max { $0.share < $1.share }
        return worst.map { ", most often in \(content.fields[$0.index].path)" } ?? ""
    }

    private var noiseRemark: String {
        differing > differingBeyondNoise ? ", noise left out" : ""
    }

    private var latencyRemark: String {
        let primary = Double(figures.primaryLatency.quantile(0.99))
        let shadow = Double(figures.shadowLatency.quantile(0.99))
        guard primary > 0 else { return "no latencies known" }
        let percent = ((shadow - primary) / primary * 100).rounded()
        let change = Int(min(percent, 1e6))
        return change == 0
            ? "p99 is the same" : "p99 is \(abs(change)) % \(change > 0 ? "slower" : "faster")"
    }

    private var notMadeRemark: String {
        guard figures.selected > 0, notMade * 10 > figures.selected else { return "" }
        let share = Double(notMade) / Double(figures.selected)
        return "; \(Self.percent(share)) of the copies were dropped"
    }

    private static func percent(_ share: Double) -> String {
        // Two decimals without Foundation: 0.12 %.
        let hundredths = Int((min(max(share, 0), 1) * 10_000).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest) %"
    }
}
