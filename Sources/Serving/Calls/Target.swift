internal import GRPCWire
internal import HTTP2Session
internal import Observability

/// One backend as one path of one endpoint reaches it. Confined to its loop.
final class Target {
    /// Endpoint, backend and method of its calls.
    let key: CallKey
    /// Where its calls are counted.
    private var metrics: CallMetrics
    /// Set until a backend has answered the method; then calls are counted under its name.
    private var unknownMethod: UnknownMethod?
    /// Whether the caller gets the name of the backend, in `x-serve-backend`.
    private let isNamed: Bool
    /// The trailers of a successful call without trailing metadata of its own.
    private(set) var okTrailers = HeaderBlock(["grpc-status": "0"])
    /// The trailer that names who answered, or none.
    private(set) var nameTrailers = HeaderBlock()

    /// - Parameter unknownMethod: nil for a method that exists.
    init(
        _ key: CallKey, isNamed: Bool, unknownMethod: UnknownMethod? = nil,
        _ metrics: LoopMetrics
    ) {
        self.key = key
        self.isNamed = isNamed
        self.unknownMethod = unknownMethod
        self.metrics = metrics.series(
            of: unknownMethod == nil ? key : key.counted(as: LoopMetrics.otherMethods))
        appendName(to: &okTrailers)
        appendName(to: &nameTrailers)
    }

    /// Counts a request that a shadow's proportion selected.
    func sampled() { metrics.figures.sampled += 1 }

    /// Counts a call that begins.
    ///
    /// - Returns: nil, or what to hand to `ended` for a call whose method may not exist. How many
    ///   of these began is counted when they end, under the name that is known then.
    func began(_ metrics: LoopMetrics) -> ProvisionalCount? {
        if let method = unknownMethod {
            guard method.isAnswered else {
                self.metrics.figures.inFlight += 1
                return ProvisionalCount(method: method, metrics: self.metrics)
            }
            self.metrics = metrics.series(of: key)
            unknownMethod = nil
        }
        self.metrics.figures.started += 1
        self.metrics.figures.inFlight += 1
        return nil
    }

    /// Counts a call that has ended.
    func ended(
        _ provisional: ProvisionalCount?, _ code: StatusCode, nanoseconds: UInt64,
        _ metrics: LoopMetrics
    ) {
        guard let provisional else {
            self.metrics.figures.inFlight -= 1
            return self.metrics.figures.record(code, nanoseconds: nanoseconds)
        }
        provisional.metrics.figures.inFlight -= 1
        let series =
            provisional.method.isAnswered
            ? metrics.seriesIfCurrent(of: key) : provisional.metrics
        series.figures.started += 1
        series.figures.record(code, nanoseconds: nanoseconds)
    }

    func appendName(to trailers: inout HeaderBlock) {
        if isNamed { trailers.append("x-serve-backend", key.backend) }
    }
}
