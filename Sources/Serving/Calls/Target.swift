internal import GRPCWire
internal import HTTP2Session
internal import Observability

/// A backend as the target of one path of one endpoint. Confined to its loop.
final class Target {
    /// Endpoint, backend and method of its calls.
    let key: CallKey
    /// The counters of the loop.
    private let loopMetrics: LoopMetrics
    /// The counters of its calls.
    private var metrics: CallMetrics
    /// Set until a backend has answered the method; then calls are counted by method.
    private var unknownMethod: UnknownMethod?
    /// Where the calls are counted for a rollout of the endpoint; nil without one.
    let cohorts: CohortSide?
    /// The revision of the endpoint; 0 for Weir's own services.
    let revision: UInt64
    /// Which calls of the endpoint are slow; nil if no late calls are exported.
    let slow: SlowCalls?
    /// The trailers of a successful call without trailing metadata.
    let okTrailers: PreparedHeaders
    /// The trailer that names the backend, if responses do.
    let nameTrailers: HeaderBlock

    /// - Parameters:
    ///   - isNamed: whether responses name the backend, in `x-serve-backend`.
    ///   - unknownMethod: nil for a method that exists.
    ///   - revision: of the endpoint.
    ///   - slow: nil if slow calls are not exported.
    init(
        _ key: CallKey, isNamed: Bool, unknownMethod: UnknownMethod? = nil,
        cohorts: CohortSide? = nil, revision: UInt64 = 0, slow: SlowCalls? = nil,
        _ metrics: LoopMetrics
    ) {
        self.revision = revision
        self.slow = slow
        self.key = key
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
    /// The method in spans: without the first slash, and `_OTHER` if it may not exist, because a
    /// client can send any name.
    var tracedMethod: String {
        guard unknownMethod?.isAnswered ?? true else { return "_OTHER" }
        return key.method.hasPrefix("/") ? String(key.method.dropFirst()) : key.method
    }

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

    /// Keeps a traced call that `ended` has counted as an example of its latency.
    func ended(_ provisional: ProvisionalCount?, _ code: StatusCode, _ exemplar: Exemplar) {
        (provisional.map(series) ?? metrics).figures.add(exemplar, code)
    }

    /// The counts of a call that began before the method was known to exist.
    private func series(_ provisional: ProvisionalCount) -> CallMetrics {
        provisional.method.isAnswered
            ? loopMetrics.seriesIfCurrent(of: key) : provisional.metrics
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
        let series = series(provisional)
        series.figures.started += 1
        series.figures.record(code, nanoseconds: nanoseconds, sent: sent, received: received)
    }
}
