package import GRPCWire

/// The series of one method of one backend at one endpoint.
package struct CallKey: Hashable, Sendable {
    package let endpoint: String
    package let backend: String
    /// The full path, or "other" for methods that the backend does not have (gRFC A66).
    package let method: String
    package let isShadow: Bool

    package init(endpoint: String, backend: String, method: String, isShadow: Bool) {
        self.endpoint = endpoint
        self.backend = backend
        self.method = method
        self.isShadow = isShadow
    }

    /// The key of calls that are counted under another name than their method's.
    package func counted(as method: String) -> CallKey {
        CallKey(endpoint: endpoint, backend: backend, method: method, isShadow: isShadow)
    }
}

/// The ended calls of one `CallKey` with one status.
package struct EndedCalls: Sendable {
    package let code: StatusCode
    package var latency = LatencyHistogram()
    /// Bytes of all response messages, and of all request messages, of a call.
    package var sent = SizeHistogram()
    package var received = SizeHistogram()
    package fileprivate(set) var exemplars = Exemplars()

    fileprivate mutating func record(nanoseconds: UInt64, sent: UInt64, received: UInt64) {
        latency.record(nanoseconds: nanoseconds)
        self.sent.record(bytes: sent)
        self.received.record(bytes: received)
    }
}

/// Counts, latencies and sizes of one `CallKey`.
package struct CallFigures: Sendable {
    /// Requests routed here.
    package var started: UInt64 = 0
    package var inFlight: Int64 = 0
    /// Requests that a shadow's proportion selected.
    package var sampled: UInt64 = 0
    /// Finished requests by status code.
    package private(set) var finished: [EndedCalls] = []

    package init() {}

    /// - Parameters:
    ///   - sent: the bytes of the response messages.
    ///   - received: the bytes of the request messages.
    package mutating func record(
        _ answered: StatusCode, nanoseconds: UInt64, sent: UInt64 = 0, received: UInt64 = 0
    ) {
        let code = answered.counted
        if let index = finished.firstIndex(where: { $0.code == code }) {
            finished[index].record(nanoseconds: nanoseconds, sent: sent, received: received)
        } else {
            var ended = EndedCalls(code: code)
            ended.record(nanoseconds: nanoseconds, sent: sent, received: received)
            finished.append(ended)
        }
    }

    /// Adds a traced call, which `record` has counted, as an example of its latency.
    package mutating func add(_ exemplar: Exemplar, _ answered: StatusCode) {
        guard let index = finished.firstIndex(where: { $0.code == answered.counted }) else {
            return
        }
        finished[index].exemplars.add(exemplar)
    }

    package mutating func add(_ other: CallFigures) {
        started += other.started
        inFlight += other.inFlight
        sampled += other.sampled
        for ended in other.finished { add(ended) }
    }

    private mutating func add(_ ended: EndedCalls) {
        if let index = finished.firstIndex(where: { $0.code == ended.code }) {
            finished[index].latency.add(ended.latency)
            finished[index].sent.add(ended.sent)
            finished[index].received.add(ended.received)
            finished[index].exemplars.add(ended.exemplars)
        } else {
            finished.append(ended)
        }
    }

    /// The difference to an earlier copy, without sizes. `inFlight` keeps its value. If the counts
    /// restarted at zero since then, with a new endpoint of the same name, returns all of them.
    package func since(_ earlier: CallFigures) -> CallFigures {
        guard started >= earlier.started, sampled >= earlier.sampled else { return self }
        var difference = self
        difference.started -= earlier.started
        difference.sampled -= earlier.sampled
        difference.finished = finished.compactMap { ended in
            let before = earlier.finished.first { $0.code == ended.code }?.latency
            let new = ended.latency.since(before ?? LatencyHistogram())
            return new.count > 0 ? EndedCalls(code: ended.code, latency: new) : nil
        }
        return difference
    }

    /// The latencies of all statuses together.
    package var latency: LatencyHistogram {
        finished.reduce(into: LatencyHistogram()) { $0.add($1.latency) }
    }
}

/// The figures of one series on one loop. Confined to its loop.
package final class CallMetrics {
    package let key: CallKey
    package var figures = CallFigures()

    package init(_ key: CallKey) { self.key = key }
}
