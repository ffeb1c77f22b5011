internal import DequeModule
package import Traces

/// The latest calls of one loop that belong to a trace. A new call takes the place of the oldest.
/// Confined to its loop.
package struct RecentCalls {
    private let capacity: Int
    private var calls = Deque<CallRecord>()

    /// - Parameter capacity: 0 keeps nothing.
    package init(capacity: Int) { self.capacity = max(0, capacity) }

    package var isEnabled: Bool { capacity > 0 }

    package mutating func append(_ call: CallRecord) {
        guard isEnabled else { return }
        if calls.count == capacity { calls.removeFirst() }
        calls.append(call)
    }

    /// The calls of a trace, the oldest first.
    package func calls(of trace: TraceID) -> [CallRecord] {
        calls.filter { $0.trace?.traceID == trace }
    }
}
