internal import NIOCore
internal import Observability
internal import Transport
internal import Upstream

/// The request path on one event loop.
///
/// ```
///   ConnectionSet --> Router --> LoopState
///    connections       paths      limits, admission, deadlines, counts
/// ```
///
/// Invariant of `@unchecked Sendable`: used only on `eventLoop`.
final class ServingLoop: @unchecked Sendable {
    let loop: LoopState
    let router: Router
    let connections: ConnectionSet

    init(_ loop: LoopState, _ comparer: Comparer, namesBackends: Bool) {
        self.loop = loop
        router = Router(loop, ShadowLoop(loop, comparer), namesBackends: namesBackends)
        connections = ConnectionSet(router)
    }

    var eventLoop: any EventLoop { loop.eventLoop }

    /// The counts of this loop.
    var figures: ServingFigures {
        var figures = ServingFigures()
        figures.calls = loop.metrics.figures
        figures.removed = loop.metrics.removed
        figures.connections = connections.dataConnections
        figures.unrouted = router.unrouted
        figures.droppedLateCalls = loop.tracing?.droppedLate ?? 0
        figures.refused = loop.admission.refused
        figures.endpoints = loop.endpoints
        figures.bufferedBytes = loop.bufferedBytes
        figures.loopDelay = loop.delay.nanoseconds
        figures.shadows = router.shadows.figures
        figures.pools = router.pools.figures
        return figures
    }

    /// Closes all connections to clients and to replicas.
    func closeAll() {
        connections.closeAll()
        router.install(.empty)
    }
}
