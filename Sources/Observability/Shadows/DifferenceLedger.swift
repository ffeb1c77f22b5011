internal import GRPCWire
package import Messages
internal import Synchronization

/// Seconds since 1970.
package typealias UnixTime = Double

/// The differences between the responses of a shadow and those of the callers: counts by field, and
/// a few examples. Its size is bounded.
package final class DifferenceLedger: Sendable {
    /// A field of the responses to one method.
    package struct Field: Hashable, Sendable {
        package let method: String
        package let path: String
    }

    /// A request whose responses differ.
    package struct Sample: Sendable {
        package let time: UnixTime
        package let method: String
        package let metadata: [(name: String, value: String)]
        package let differences: [MessageDiff.Difference]
    }

    /// A copy of all entries.
    package struct Content: Sendable {
        /// The start of the report.
        package fileprivate(set) var since: UnixTime
        /// Pairs whose bytes differ, but whose fields do not.
        package fileprivate(set) var same: UInt64 = 0
        /// Pairs that differ, by their differing fields: indices into `fields`.
        package fileprivate(set) var combinations: [[Int]: UInt64] = [:]
        /// Pairs beyond the limit of combinations; some of their differences may be noise.
        package fileprivate(set) var uncombined: UInt64 = 0
        package fileprivate(set) var fields: [Field] = []
        /// Pairs that differ in a field.
        package fileprivate(set) var counts: [UInt64] = []
        /// One pair of values for each field.
        package fileprivate(set) var examples: [MessageDiff.Difference] = []
        /// A random choice of the pairs that differ.
        package fileprivate(set) var samples: [Sample] = []

        package init(since: UnixTime = 0) { self.since = since }

        /// Pairs that differ in some field.
        package var differing: UInt64 { combinations.values.reduce(uncombined, +) }
    }

    /// Further fields count under the path `:other`.
    private static let maxFields = 256
    private static let maxCombinations = 512
    private static let maxSamples = 20
    /// The most differences and metadata of one sample.
    private static let maxDifferences = 16
    private static let maxMetadata = 32
    /// The most characters of one value.
    private static let maxValueLength = 256
    private static let hidden = "(redacted)"
    /// Metadata whose values are never stored.
    private static let secretMetadata: Set<String> = [
        "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key",
    ]

    private let content: Mutex<Content>
    private let currentRules = Mutex(ComparisonRules())

    package init(at now: UnixTime) { content = Mutex(Content(since: now)) }

    /// The current rules of comparison.
    package var rules: ComparisonRules {
        get { currentRules.withLock { $0 } }
        set { currentRules.withLock { $0 = newValue } }
    }

    /// A copy of the current entries.
    package var entries: Content { content.withLock { $0 } }

    func reset(at now: UnixTime) { content.withLock { $0 = Content(since: now) } }

    /// Adds the differences of a pair; an empty array counts it as the same.
    package func add(
        _ differences: [MessageDiff.Difference], of pair: ResponsePair, _ rules: ComparisonRules,
        at now: UnixTime
    ) {
        guard !differences.isEmpty else { return content.withLock { $0.same += 1 } }
        let shown = differences.map { Self.shown($0, rules) }
        content.withLock { content in
            var indices: [Int] = []
            for difference in shown {
                let index = content.index(
                    of: Field(method: pair.method, path: difference.path), example: difference,
                    limit: Self.maxFields)
                if !indices.contains(index) { indices.append(index) }
            }
            for index in indices { content.counts[index] += 1 }
            indices.sort()
            if content.combinations[indices] != nil
                || content.combinations.count < Self.maxCombinations
            {
                content.combinations[indices, default: 0] += 1
            } else {
                content.uncombined += 1
            }
            // Reservoir sampling (Vitter, 1985, algorithm R): each pair is stored with equal
            // probability.
            if content.samples.count < Self.maxSamples {
                content.samples.append(Self.sample(shown, pair, rules, at: now))
            } else {
                let place = UInt64.random(in: 0..<content.differing)
                if place < UInt64(Self.maxSamples) {
                    content.samples[Int(place)] = Self.sample(shown, pair, rules, at: now)
                }
            }
        }
    }

    private static func shown(
        _ difference: MessageDiff.Difference, _ rules: ComparisonRules
    ) -> MessageDiff.Difference {
        let hides = rules.hides(difference.path)
        return MessageDiff.Difference(
            path: difference.path, place: shortened(difference.place),
            left: hides ? hidden : shortened(difference.left),
            right: hides ? hidden : shortened(difference.right))
    }

    private static func sample(
        _ differences: [MessageDiff.Difference], _ pair: ResponsePair, _ rules: ComparisonRules,
        at now: UnixTime
    ) -> Sample {
        let fields = pair.metadata().fields.prefix(maxMetadata).map { field in
            let isHidden =
                secretMetadata.contains(field.name) || rules.redactedMetadata.contains(field.name)
            return (name: field.name, value: isHidden ? hidden : shortened(field.value))
        }
        return Sample(
            time: now, method: pair.method, metadata: fields,
            differences: Array(differences.prefix(maxDifferences)))
    }

    private static func shortened(_ text: String) -> String {
        text.count <= maxValueLength ? text : text.prefix(maxValueLength) + "..."
    }
}

extension DifferenceLedger.Content {
    /// The index of a field; adds a new field.
    fileprivate mutating func index(
        of field: DifferenceLedger.Field, example: MessageDiff.Difference, limit: Int
    ) -> Int {
        if let known = fields.firstIndex(of: field) { return known }
        guard fields.count < limit else {
            let other = DifferenceLedger.Field(method: "", path: ":other")
            return fields.firstIndex(of: other) ?? add(other, example)
        }
        return add(field, example)
    }

    private mutating func add(
        _ field: DifferenceLedger.Field, _ example: MessageDiff.Difference
    ) -> Int {
        fields.append(field)
        counts.append(0)
        examples.append(example)
        return fields.count - 1
    }
}
