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

/// Counts and latencies of one `CallKey`.
package struct CallFigures: Sendable {
    /// Requests routed here.
    package var started: UInt64 = 0
    package var inFlight: Int64 = 0
    /// Requests that a shadow's proportion selected.
    package var sampled: UInt64 = 0
    /// Finished requests by status code.
    package private(set) var finished: [(code: StatusCode, latency: LatencyHistogram)] = []

    package init() {}

    package mutating func record(_ answered: StatusCode, nanoseconds: UInt64) {
        let code = answered.counted
        if let index = finished.firstIndex(where: { $0.code == code }) {
            finished[index].latency.record(nanoseconds: nanoseconds)
        } else {
            var latency = LatencyHistogram()
            latency.record(nanoseconds: nanoseconds)
            finished.append((code, latency))
        }
    }

    package mutating func add(_ other: CallFigures) {
        started += other.started
        inFlight += other.inFlight
        sampled += other.sampled
        for (code, latency) in other.finished { add(code, latency) }
    }

    private mutating func add(_ code: StatusCode, _ latency: LatencyHistogram) {
        if let index = finished.firstIndex(where: { $0.code == code }) {
            finished[index].latency.add(latency)
        } else {
            finished.append((code, latency))
        }
    }

    /// The difference to an earlier copy, except `inFlight`, which keeps its value. If the counts
    /// restarted at zero since then, with a new endpoint of the same name, all of them.
    package func since(_ earlier: CallFigures) -> CallFigures {
        guard started >= earlier.started, sampled >= earlier.sampled else { return self }
        var difference = self
        difference.started -= earlier.started
        difference.sampled -= earlier.sampled
        difference.finished = finished.compactMap { code, latency in
            let before = earlier.finished.first { $0.code == code }?.latency ?? LatencyHistogram()
            let new = latency.since(before)
            return new.count > 0 ? (code, new) : nil
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
