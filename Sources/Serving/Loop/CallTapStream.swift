package import Observability
internal import Synchronization
internal import TrafficPolicy
internal import Transport

/// The open taps, and what all of them together may take from the loops.
final class OpenTaps: Sendable {
    private struct State {
        var taps: [CallTapStream] = []
        /// Whether the streams of new taps end at once.
        var areFinished = false
        var bucket: TokenBucket
        /// Calls that taps have dropped.
        var dropped: UInt64 = 0
    }

    private let maxTaps: Int
    private let state: Mutex<State>

    init(_ limits: Limits, at now: UInt64) {
        maxTaps = limits.maxTaps
        let perSecond = Double(limits.maxTapCallsPerSecond)
        state = Mutex(
            State(bucket: TokenBucket(capacity: perSecond, perSecond: perSecond, at: now)))
    }

    var figures: TapFigures {
        state.withLock { TapFigures(open: $0.taps.count, dropped: $0.dropped) }
    }

    /// - Returns: nil if too many taps are open.
    func open(_ options: CallTapStream.Options, at now: UInt64) -> CallTapStream? {
        state.withLock { state in
            guard state.taps.count < maxTaps else { return nil }
            let tap = CallTapStream(options, self, at: now)
            state.taps.append(tap)
            if state.areFinished { tap.finish() }
            return tap
        }
    }

    func close(_ tap: CallTapStream) { state.withLock { $0.taps.removeAll { $0 === tap } } }

    /// Ends the streams of all taps, also of later ones.
    func finishAll() {
        let taps = state.withLock { state in
            state.areFinished = true
            return state.taps
        }
        for tap in taps { tap.finish() }
    }

    /// Ends the streams of the taps whose filter fulfils a condition.
    func finish(where isOver: (CallFilter) -> Bool) {
        let taps = state.withLock(\.taps)
        for tap in taps where isOver(tap.filter) { tap.finish() }
    }

    func takeCall(at now: UInt64) -> Bool { state.withLock { $0.bucket.take(1, at: now) } }

    func countDropped() { state.withLock { $0.dropped += 1 } }
}

/// The figures of the taps of a server.
package struct TapFigures: Sendable {
    package var open = 0
    /// Calls that taps have dropped since the start.
    package var dropped: UInt64 = 0

    package init(open: Int = 0, dropped: UInt64 = 0) { (self.open, self.dropped) = (open, dropped) }
}

/// The calls that one tap shows, as they end. The loops filter and sample them, and never wait: a
/// call that exceeds a limit, or that the reader is too slow for, is dropped and counted.
package final class CallTapStream: Sendable {
    /// What a tap shows.
    package struct Options: Sendable {
        package var filter = CallFilter()
        /// The share of the calls that the filter accepts.
        package var share = 1.0
        /// The most calls per second.
        package var callsPerSecond = 100

        package init() {}
    }

    private struct State {
        var bucket: TokenBucket
        var generator = SystemRandomNumberGenerator()
        var dropped: UInt64 = 0
    }

    /// Which calls the tap shows.
    var filter: CallFilter { options.filter }
    /// The calls in the order in which they ended on their loops.
    package let calls: AsyncStream<CallRecord>
    private let continuation: AsyncStream<CallRecord>.Continuation
    private let options: Options
    private let share: Proportion
    private let all: OpenTaps
    private let state: Mutex<State>

    init(_ options: Options, _ all: OpenTaps, at now: UInt64) {
        self.options = options
        share = Proportion(options.share)
        self.all = all
        let perSecond = Double(options.callsPerSecond)
        state = Mutex(
            State(bucket: TokenBucket(capacity: perSecond, perSecond: perSecond, at: now)))
        (calls, continuation) = AsyncStream.makeStream(
            bufferingPolicy: .bufferingOldest(Limits.maxWaitingTapCalls))
    }

    /// A call has ended.
    func ended(_ call: CallRecord, at now: UInt64) {
        guard options.filter.accepts(call) else { return }
        state.withLock { state in
            guard share.takesNext(of: &state.generator) else { return }
            let isAllowed = state.bucket.take(1, at: now) && all.takeCall(at: now)
            if isAllowed, case .enqueued = continuation.yield(call) { return }
            state.dropped += 1
            all.countDropped()
        }
    }

    /// The calls that were dropped since the last use.
    package func takeDropped() -> UInt64 {
        state.withLock { state in
            defer { state.dropped = 0 }
            return state.dropped
        }
    }

    func finish() { continuation.finish() }
}
