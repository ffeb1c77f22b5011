/// A copy of the counts of all loops.
package struct ServingFigures: Sendable {
    package var calls: [CallKey: CallFigures] = [:]
    /// The figures of deleted endpoints and backends.
    package var removed: [CallKey: CallFigures] = [:]
    /// Backends of replicas by name.
    package var pools: [String: PoolFigures] = [:]
    package var shadows: [ShadowAccount.Key: ShadowFigures] = [:]
    package var connections = 0
    /// Connections over the limits of the data port, of the admin port and of the metrics port.
    package var refusedConnections: UInt64 = 0
    package var refusedOperators: UInt64 = 0
    package var refusedScrapers: UInt64 = 0
    /// Requests that a limit refused, by reason.
    package var refused: [Overload: UInt64] = [:]
    /// Requests that were refused before a backend was chosen, by endpoint.
    package var endpoints: [String: EndpointFigures] = [:]
    /// Bytes of requests and responses that wait in memory.
    package var bufferedBytes = 0
    /// The delay of the slowest loop, in nanoseconds.
    package var loopDelay: Int64 = 0
    /// Requests whose path matched no endpoint.
    package var unrouted: UInt64 = 0
    /// Unsampled calls that were not exported because too many were interesting.
    package var droppedLateCalls: UInt64 = 0

    package init() {}

    package mutating func add(_ other: ServingFigures) {
        for (key, figures) in other.calls { calls[key, default: CallFigures()].add(figures) }
        for (key, figures) in other.removed { removed[key, default: CallFigures()].add(figures) }
        for (name, figures) in other.pools { pools[name, default: PoolFigures()].add(figures) }
        for (key, figures) in other.shadows { shadows[key, default: ShadowFigures()].add(figures) }
        connections += other.connections
        refused.merge(other.refused) { $0 + $1 }
        endpoints.merge(other.endpoints) { $0.adding($1) }
        bufferedBytes += other.bufferedBytes
        loopDelay = max(loopDelay, other.loopDelay)
        unrouted += other.unrouted
        droppedLateCalls += other.droppedLateCalls
    }

    /// The difference to an earlier copy.
    package func since(_ earlier: ServingFigures) -> ServingFigures {
        var difference = self
        for (key, before) in earlier.calls {
            difference.calls[key] = calls[key]?.since(before)
        }
        for (name, before) in earlier.endpoints {
            difference.endpoints[name] = endpoints[name]?.since(before)
        }
        difference.unrouted -= min(unrouted, earlier.unrouted)
        return difference
    }
}
