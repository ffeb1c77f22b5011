internal import GRPCWire
internal import HTTP2Session
internal import Observability

/// A backend as the target of one path of one endpoint. Confined to its loop.
final class Target {
    /// Endpoint, backend and method of its calls.
    let key: CallKey
    /// The revision of the state that chose the backend.
    let revision: UInt64
    /// The counters of the loop.
    private let loopMetrics: LoopMetrics
    /// The counters of its calls.
    private var metrics: CallMetrics
    /// Set until a backend has answered the method; then calls are counted by method.
    private var unknownMethod: UnknownMethod?
    /// Where the calls are counted for a rollout of the endpoint; nil without one.
    let cohorts: CohortSide?
    /// The trailers of a successful call without trailing metadata.
    let okTrailers: PreparedHeaders
    /// The trailer that names the backend, if responses do.
    let nameTrailers: HeaderBlock

    /// - Parameters:
    ///   - isNamed: whether responses name the backend, in `x-serve-backend`.
    ///   - unknownMethod: nil for a method that exists.
    init(
        _ key: CallKey, isNamed: Bool, revision: UInt64 = 0, unknownMethod: UnknownMethod? = nil,
        cohorts: CohortSide? = nil, _ metrics: LoopMetrics
    ) {
        self.key = key
        self.revision = revision
        self.cohorts = cohorts
        self.unknownMethod = unknownMethod
        loopMetrics = metrics
        self.metrics = metrics.series(
            of: unknownMethod == nil ? key : key.counted(as: LoopMetrics.otherMethods))
        nameTrailers =
            isNamed ? HeaderBlock(["x-serve-backend": key.backend]) : HeaderBlock()
        var trailers = HeaderBlock(["grpc-status": "0"])
        trailers.append(nameTrailers)
        okTrailers = PreparedHeaders(trailers)
    }

    /// Whether its calls have records: those of Weir's own services have none.
    var isRecorded: Bool { !key.endpoint.isEmpty }

    /// Counts a request that a shadow's proportion selected.
    func sampled() { metrics.figures.sampled += 1 }

    /// Counts a call that begins.
    ///
    /// - Returns: nil, or the value to pass to `ended` for a call whose method may not exist. The
    ///   start of such a call is counted when it ends, by the name that is known then.
    func began() -> ProvisionalCount? {
        if let method = unknownMethod {
            guard method.isAnswered else {
                metrics.figures.inFlight += 1
                return ProvisionalCount(method: method, metrics: metrics)
            }
            metrics = loopMetrics.seriesIfCurrent(of: key)
            unknownMethod = nil
        }
        metrics.figures.started += 1
        metrics.figures.inFlight += 1
        return nil
    }

    /// Counts a call that has ended.
    func ended(
        _ provisional: ProvisionalCount?, _ code: StatusCode, nanoseconds: UInt64,
        sent: UInt64 = 0, received: UInt64 = 0
    ) {
        guard let provisional else {
            metrics.figures.inFlight -= 1
            return metrics.figures.record(
                code, nanoseconds: nanoseconds, sent: sent, received: received)
        }
        provisional.metrics.figures.inFlight -= 1
        let series =
            provisional.method.isAnswered
            ? loopMetrics.seriesIfCurrent(of: key) : provisional.metrics
        series.figures.started += 1
        series.figures.record(code, nanoseconds: nanoseconds, sent: sent, received: received)
    }
}
