/// How a server traces its calls.
package struct TraceSettings: Sendable {
    package var sampler = TraceSampler()
    /// The most late calls a second that are exported; 0 for none.
    package var lateCallsPerSecond = 0
    /// Receives the ended spans.
    package let queue: SpanQueue

    package init(
        _ queue: SpanQueue, sampler: TraceSampler = TraceSampler(), lateCallsPerSecond: Int = 0
    ) {
        self.queue = queue
        self.sampler = sampler
        self.lateCallsPerSecond = lateCallsPerSecond
    }
}
