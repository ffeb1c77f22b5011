/// To which entry of a step, and to which weight of the candidate, the seconds of the loops' clock
/// belong.
struct StepSeconds: Sendable, Equatable {
    /// What holds from a second on.
    private struct Span: Sendable, Equatable {
        let from: UInt64
        /// Nil in seconds in which it changed.
        let weight: Double?
        /// In seconds in which it changed, the earlier one.
        let entry: UInt64
    }

    /// More than the changes within the time that a second waits for its requests.
    private static let maxSpans = 128

    /// In order.
    private var spans: [Span]
    /// The second in which the latest span was known to hold.
    private var latest: UInt64

    init(weight: Double, entry: UInt64, at second: UInt64) {
        // Requests before may have had another weight.
        spans = [Span(from: second + 1, weight: weight, entry: entry)]
        latest = second
    }

    /// Notes what holds now. A change was made in one of the seconds since the latest call.
    mutating func note(weight: Double, entry: UInt64, at second: UInt64) {
        defer { latest = max(latest, second) }
        guard let last = spans.last, last.weight != weight || last.entry != entry else { return }
        spans.append(
            Span(
                from: max(last.from, latest), weight: last.weight == weight ? weight : nil,
                entry: min(last.entry, entry)))
        spans.append(Span(from: second + 1, weight: weight, entry: entry))
        if spans.count > Self.maxSpans { spans.removeFirst(spans.count - Self.maxSpans) }
    }

    /// What held in a second.
    subscript(second: UInt64) -> (weight: Double?, entry: UInt64) {
        let span = spans.last { $0.from <= second }
        return (span?.weight, span?.entry ?? 0)
    }
}
