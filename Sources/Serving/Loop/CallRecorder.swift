internal import FoundationEssentials
package import Observability
internal import Traces
internal import Transport
internal import Upstream

/// Who receives the records of ended calls.
package struct CallListeners: Sendable {
    /// The queues of the access logs.
    package var logs: [CallQueue] = []
    /// The share of calls that the access logs receive, besides those that failed.
    package var share = 1.0

    /// None.
    package init() {}
}

/// Passes the records of one loop to the access logs, the taps and the ring of traced calls. A
/// call for which nothing listens has no record. Confined to its loop.
final class CallRecorder {
    private let context: LoopContext
    private let logs: [CallQueue]
    /// A call that did not fail is logged if a random number is at most this.
    private let threshold: UInt64
    private var taps: [CallTapStream] = []
    private(set) var recent: RecentCalls

    init(_ context: LoopContext, _ listeners: CallListeners, maxTracedCalls: Int) {
        self.context = context
        logs = listeners.logs
        // NaN counts as 0, and the product is below 2^64.
        threshold = listeners.share >= 1 ? .max : UInt64(max(0, listeners.share) * 0x1p64)
        recent = RecentCalls(capacity: maxTracedCalls)
    }

    func add(_ tap: CallTapStream) { taps.append(tap) }

    func remove(_ tap: CallTapStream) { taps.removeAll { $0 === tap } }

    /// The record of a call that begins; nil if nothing listens.
    ///
    /// - Parameter trace: the context that the client sent.
    func begin(_ trace: @autoclosure () -> TraceContext?, at now: UInt64) -> OpenRecord? {
        let isListening = !logs.isEmpty || !taps.isEmpty
        guard isListening || recent.isEnabled else { return nil }
        let trace = trace()
        return isListening || trace != nil ? OpenRecord(trace, at: now) : nil
    }

    /// Passes on the record of a call that has ended.
    ///
    /// - Parameters:
    ///   - failed: whether the server caused a failure.
    ///   - fill: sets the remaining properties; called only if something wants the record.
    func end(_ open: OpenRecord, failed: Bool, at now: UInt64, _ fill: (inout CallRecord) -> Void) {
        let isLogged = !logs.isEmpty && (failed || isSampled)
        let isTraced = open.trace != nil && recent.isEnabled
        guard isLogged || isTraced || !taps.isEmpty else { return }
        var record = CallRecord()
        record.time = Int64(exactly: (Date().timeIntervalSince1970 * 1e6).rounded()) ?? 0
        fill(&record)
        open.complete(&record, at: now)
        if isTraced { recent.append(record) }
        for tap in taps { tap.ended(record, at: now) }
        if isLogged { for log in logs { log.append(record) } }
    }

    private var isSampled: Bool {
        threshold == .max || threshold > 0 && context.random.next() <= threshold
    }
}
