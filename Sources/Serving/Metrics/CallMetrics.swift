package import GRPCWire

/// What is counted for one method of one backend at one endpoint, on one loop.
package struct CallKey: Hashable, Sendable {
    package let endpoint: String
    package let backend: String
    /// The full path, or "other" for methods that the backend doesn't have (gRFC A66).
    package let method: String
    package let isShadow: Bool

    package init(endpoint: String, backend: String, method: String, isShadow: Bool) {
        self.endpoint = endpoint
        self.backend = backend
        self.method = method
        self.isShadow = isShadow
    }

    /// The same for calls that are counted under another name than their method's.
    func counted(as method: String) -> CallKey {
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

    mutating func record(_ answered: StatusCode, nanoseconds: UInt64) {
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

    /// What happened since an earlier copy; `inFlight` stays what it is now. Everything, if the
    /// counts have begun at zero again since then: with a new endpoint of the same name.
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

/// The figures that one loop bumps. Confined to its loop.
final class CallMetrics {
    let key: CallKey
    var figures = CallFigures()

    init(_ key: CallKey) { self.key = key }
}

/// A copy of what all loops have counted.
package struct ServingFigures: Sendable {
    package var calls: [CallKey: CallFigures] = [:]
    /// Backends of replicas by name.
    package var pools: [String: PoolFigures] = [:]
    package var shadows: [ShadowAccount.Key: ShadowFigures] = [:]
    package var connections = 0
    /// Connections over the limits of the data port and of the admin port.
    package var refusedConnections: UInt64 = 0
    package var refusedOperators: UInt64 = 0
    /// Requests that were refused because there was too much to do, by reason.
    package var refused: [Overload: UInt64] = [:]
    /// Bytes of requests and responses that wait in memory.
    package var bufferedBytes = 0
    /// How far the loop that is furthest behind is behind with its work, in nanoseconds.
    package var lag: Int64 = 0
    /// Requests whose path no endpoint takes.
    package var unrouted: UInt64 = 0

    package init() {}

    mutating func add(_ other: ServingFigures) {
        for (key, figures) in other.calls { calls[key, default: CallFigures()].add(figures) }
        for (name, figures) in other.pools { pools[name, default: PoolFigures()].add(figures) }
        for (key, figures) in other.shadows { shadows[key, default: ShadowFigures()].add(figures) }
        connections += other.connections
        refused.merge(other.refused) { $0 + $1 }
        bufferedBytes += other.bufferedBytes
        lag = max(lag, other.lag)
        unrouted += other.unrouted
    }

    /// What happened since an earlier copy.
    package func since(_ earlier: ServingFigures) -> ServingFigures {
        var difference = self
        for (key, before) in earlier.calls {
            difference.calls[key] = calls[key]?.since(before)
        }
        difference.unrouted -= min(unrouted, earlier.unrouted)
        return difference
    }
}
