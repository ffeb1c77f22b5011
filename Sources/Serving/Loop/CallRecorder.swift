package import Observability
internal import Traces
internal import TrafficPolicy
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
    /// Kinds of receivers of records.
    struct Receivers: OptionSet {
        let rawValue: UInt8

        static let logs = Receivers(rawValue: 1)
        static let taps = Receivers(rawValue: 2)
        static let ring = Receivers(rawValue: 4)
    }

    private let context: LoopContext
    private let logs: [CallQueue]
    /// The logged share of the calls that did not fail.
    private let share: Proportion
    private var taps: [CallTapStream] = []
    private(set) var recent: RecentCalls

    init(_ context: LoopContext, _ listeners: CallListeners, maxTracedCalls: Int) {
        self.context = context
        logs = listeners.logs
        share = Proportion(listeners.share)
        recent = RecentCalls(capacity: maxTracedCalls)
    }

    func add(_ tap: CallTapStream) { taps.append(tap) }

    func remove(_ tap: CallTapStream) { taps.removeAll { $0 === tap } }

    /// The record of a call that begins; nil if nothing may want it.
    ///
    /// - Parameters:
    ///   - context: the context that the client sent; called only if it is needed now.
    ///   - mayBeLate: whether the call may be exported although it is not sampled.
    func begin(
        _ headers: TraceHeaders, _ context: () -> TraceContext?, mayBeLate: Bool, at now: UInt64
    ) -> OpenRecord? {
        let isListening = !logs.isEmpty || !taps.isEmpty
        if isListening || recent.isEnabled && headers.mayBeSampled {
            let trace = headers.isPresent ? context() : nil
            if isListening || trace != nil { return OpenRecord(trace, at: now) }
        }
        guard mayBeLate || recent.isEnabled && headers.isPresent else { return nil }
        return OpenRecord(nil, measuresPhases: false, at: now)
    }

    /// Who receives the record of a call that has ended: nothing that has begun to listen since a
    /// call began without phases.
    ///
    /// - Parameter failed: whether the server caused a failure.
    func receivers(of open: OpenRecord, failed: Bool) -> Receivers {
        var receivers: Receivers = open.trace != nil && recent.isEnabled ? .ring : []
        guard open.measuresPhases else { return receivers }
        if !taps.isEmpty { receivers.insert(.taps) }
        if !logs.isEmpty, failed || share.takesNext(of: &context.random) {
            receivers.insert(.logs)
        }
        return receivers
    }

    /// Passes on the record of a call that has ended.
    func pass(_ record: consuming CallRecord, to receivers: Receivers, at now: UInt64) {
        if receivers.contains(.taps) { for tap in taps { tap.ended(record, at: now) } }
        if receivers.contains(.logs) { for log in logs { log.append(record) } }
        if receivers.contains(.ring) { recent.append(record) }
    }
}
