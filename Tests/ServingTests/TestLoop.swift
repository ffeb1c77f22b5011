internal import GRPCWire
internal import HTTP2Session
internal import Logging
internal import Messages
internal import Observability
internal import TestSupport
internal import Traces
internal import TrafficPolicy
internal import Transport
internal import Upstream

@testable internal import Serving

/// The request path on a loop whose clock the test controls.
struct TestLoop: ~Copyable {
    let embedded = EmbeddedLoop()
    let state: LoopState
    let servingLoop: ServingLoop
    private let threads: CallThreads
    private let comparer: Comparer

    init(
        _ limits: Limits = Limits(), listeners: CallListeners = CallListeners(),
        tracing: TraceSettings? = nil
    ) {
        let context = LoopContext(test: embedded, http2: limits.upstreamHTTP2)
        threads = CallThreads(
            blocking: ThreadExecutor(threads: 1), shadows: ThreadExecutor(threads: 1))
        comparer = Comparer(limit: 10, maxMessageBytes: 1_000)
        state = LoopState(
            context, threads, limits, maxBufferedBytes: limits.maxBufferedBytes,
            MethodNames(maxPerEndpoint: 10, maxInAll: 10), listeners, .silent,
            tracing.map { LoopTracing($0, context, loops: 1) })
        servingLoop = ServingLoop(state, comparer, namesBackends: true)
    }

    var router: Router { servingLoop.router }
    var connections: ConnectionSet { servingLoop.connections }

    deinit {
        Task { [threads, comparer] in
            try await threads.shutDown()
            try await comparer.shutDown()
        }
    }

    /// A call of a source, which has begun.
    func begin(_ source: TestSource, _ answerer: Answerer) -> ServerCall {
        let key = CallKey(endpoint: "e", backend: "b", method: "/p.S/M", isShadow: false)
        let destination = Destination(Target(key, isNamed: true, state.metrics), answerer)
        return destination.begin(
            state, .source(source), at: embedded.now, RequestHead(source.headers).trace)
    }

    /// Installs endpoints with routes.
    ///
    /// - Parameter backend: answers all of them; nil for a backend that does not exist.
    func install(routes: [String], _ backend: HandlerBackend? = nil) {
        let owner = backend?.name ?? "missing"
        let endpoints = routes.compactMap { text in
            Route(text).map {
                RoutingSnapshot.Endpoint(
                    name: text, route: $0, revision: 1,
                    policy: EndpointPolicy(
                        endpoint: text, map: AffinityMap(owner: owner), shadows: []),
                    shadows: .none)
            }
        }
        let backends = RoutingSnapshot.Backends(backend.map { [owner: .handler($0)] } ?? [:])
        router.install(RoutingSnapshot(revision: 1, endpoints: endpoints, backends: backends))
    }

    /// A port for endpoints, with a service of Weir's own.
    static let port = ServedPort(
        services: HandlerBackend("weir", services: [Service("own.S")]), plainHTTP: .endpoints)
}

/// A source that records the response.
final class TestSource: CallSource {
    var headers: HeaderBlock
    let peer = Peer()
    let isShadow: Bool
    let recordForm = CallRecord.Form.grpc
    var credited = 0
    var body: [UInt8] = []
    var hasRoom = true
    var waits = false
    var status: RPCError?

    init(_ headers: KeyValuePairs<String, String> = [:], isShadow: Bool = false) {
        self.headers = HeaderBlock(headers)
        self.isShadow = isShadow
    }

    func credit(_ bytes: Int) { credited += bytes }
    func responded(encoding: String, _ headers: HeaderParts) {}
    func wrote(_ bytes: RawSpan) { body += Array(copying: bytes) }
    func takesMore() -> Bool { hasRoom }
    func waitForRoom() { waits = true }
    func ended(_ code: StatusCode, _ message: String, nanoseconds: UInt64) {
        status = RPCError(code, message)
    }
}
