package import Observability
internal import Serving

/// The verdict about a shadow from its figures and its ledger. Pure, so that tests need no traffic.
package struct ShadowFindings: Sendable {
    package enum Verdict: Sendable {
        case tooFew, fit, differs, late, unreachable

        /// Whether the backend should not receive more traffic.
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

    /// The fewest compared responses for a verdict.
    static let minimumCompared: UInt64 = 100
    /// The fewest compared second copies for a field to count as noise.
    static let minimumNoiseCompared: UInt64 = 10
    /// A field differs beyond noise if its shares differ by this much relative to their sum, and
    /// absolutely. Source: Diffy.
    static let minimumRelative = 0.2
    static let minimumAbsolute = 0.0003

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
                share - noiseShare > Self.minimumAbsolute
                && share - noiseShare > Self.minimumRelative * (share + noiseShare)
            return FieldFinding(
                index: index, share: share, noiseShare: noiseShare,
                isNoise: noiseTotal >= Self.minimumNoiseCompared && !isBeyond)
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

    /// Pairs that wait for their comparison.
    package var pending: UInt64 {
        let done = content.same + content.differing + figures.overload
        return figures.unequal > done ? figures.unequal - done : 0
    }

    /// Copies that were too slow for a comparison.
    private var late: UInt64 { figures.dropped(.deadline) + figures.dropped(.slow) }

    /// Copies that were not made because of a limit, or because no replica was usable.
    private var notMade: UInt64 {
        figures.dropped(.inFlight) + figures.dropped(.bytes) + figures.dropped(.noReplica)
    }

    private var lateShare: Double { Double(late) / Double(max(1, late + compared)) }

    private var differingShare: Double { Double(differingBeyondNoise) / Double(max(1, compared)) }

    package var verdict: Verdict {
        if figures.dropped(.noReplica) >= Self.minimumCompared,
            figures.dropped(.noReplica) > compared
        {
            return .unreachable
        }
        if late + compared >= Self.minimumCompared, lateShare > allowedShare { return .late }
        guard compared >= Self.minimumCompared else { return .tooFew }
        return differingShare > allowedShare ? .differs : .fit
    }

    /// The verdict as a sentence.
    package var explanation: String {
        switch verdict {
        case .unreachable:
            let all = figures.dropped(.noReplica) + compared
            return
                "UNREACHABLE: \(figures.dropped(.noReplica)) of \(all) copies found no usable "
                + "replica"
        case .late:
            return "LATE: \(Self.percent(lateShare)) of the copies had no response in time"
        case .tooFew:
            return "TOO FEW: \(compared) responses compared, at least "
                + "\(Self.minimumCompared) are needed" + notMadeRemark
        case .differs:
            return
                "DIFFERS: \(Self.percent(differingShare)) of \(compared) responses\(worstField); "
                + "allowed: \(Self.percent(allowedShare))\(notMadeRemark)"
        case .fit:
            return
                "FIT: \(Self.percent(1 - differingShare)) of \(compared) responses agree"
                + "\(noiseRemark); \(latencyRemark)\(notMadeRemark)"
        }
    }

    /// The field in which most responses differ.
    private var worstField: String {
        let worst = fields.filter { !$0.isNoise }.max { $0.share < $1.share }
        return worst.map { ", most often in \(content.fields[$0.index].path)" } ?? ""
    }

    private var noiseRemark: String {
        differing > differingBeyondNoise ? ", ignoring noise" : ""
    }

    private var latencyRemark: String {
        let primary = Double(figures.primaryLatency.quantile(0.99))
        let shadow = Double(figures.shadowLatency.quantile(0.99))
        guard primary > 0 else { return "latencies are unknown" }
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
