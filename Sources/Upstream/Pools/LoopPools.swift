internal import NIOCore
package import Observability

/// The pools of one event loop, one for each backend of replicas.
///
/// Invariant: every stored `var` is used only on the loop.
package final class LoopPools: @unchecked Sendable {
    private static let maintenanceInterval = TimeAmount.seconds(1)

    package let context: LoopContext
    private var sets: [ObjectIdentifier: ReplicaSet] = [:]
    /// The pools of backends that connect. Created by the pacer or by the first request.
    private var pools: [ObjectIdentifier: BackendPool] = [:]
    /// Nil without backends of replicas.
    private var maintenance: RepeatedTask?

    package init(_ context: LoopContext) { self.context = context }

    /// Takes the current backends: new ones connect in turn, removed ones drain.
    package func install(_ sets: [ObjectIdentifier: ReplicaSet]) {
        let known = self.sets
        self.sets = sets
        for (id, pool) in pools where sets[id] == nil {
            pools[id] = nil
            pool.retire()
        }
        for (id, set) in sets where known[id] == nil {
            context.pacer.enqueue {
                // The backend may have been deleted since.
                if self.sets[id] === set { _ = self.pool(for: set) }
            }
        }
        if sets.isEmpty {
            maintenance?.cancel()
            maintenance = nil
        } else if maintenance == nil {
            let interval = Self.maintenanceInterval
            maintenance = context.eventLoop.scheduleRepeatedTask(
                initialDelay: interval, delay: interval
            ) { _ in
                for pool in self.pools.values { pool.maintain() }
            }
        }
    }

    /// The pool of a backend, which begins to connect if it is new.
    package func pool(for set: ReplicaSet) -> BackendPool {
        let id = ObjectIdentifier(set)
        if let known = pools[id] { return known }
        let pool = BackendPool(context, set)
        pools[id] = pool
        pool.open()
        return pool
    }

    /// The counts until now, by backend.
    package var figures: [String: PoolFigures] {
        pools.values.reduce(into: [:]) { $0[$1.set.name] = $1.figures }
    }
}
