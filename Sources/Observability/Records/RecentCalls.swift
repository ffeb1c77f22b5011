package import Traces

/// The latest calls of one loop that belong to a trace: a ring, which a new call enters in place of
/// the oldest. Confined to its loop.
package struct RecentCalls {
    private let capacity: Int
    private var calls: [CallRecord] = []
    /// The index of the oldest call once the ring is full.
    private var next = 0

    /// - Parameter capacity: 0 keeps nothing.
    package init(capacity: Int) { self.capacity = max(0, capacity) }

    package var isEnabled: Bool { capacity > 0 }

    package mutating func append(_ call: consuming CallRecord) {
        guard isEnabled else { return }
        guard calls.count == capacity else { return calls.append(call) }
        calls[next] = call
        next = next + 1 == capacity ? 0 : next + 1
    }

    /// The calls of a trace, the oldest first.
    package func calls(of trace: TraceID) -> [CallRecord] {
        [calls[next...], calls[..<next]].flatMap { part in
            part.filter { $0.trace?.traceID == trace }
        }
    }
}
