internal import GRPCWire
internal import Messages
internal import Observability
internal import Serving
internal import StateStores
internal import Testing
internal import Traces
internal import TrafficPolicy
internal import Transport
internal import Upstream

@testable internal import ControlPlane

@Suite struct ViewTests {
    typealias View = ControlPlane.View

    /// Endpoint `e` with 3/4 of the requests on handler `v1`, 1/4 on upstream `up`, and shadow
    /// `v2`, whose handler is missing.
    private static func state() throws -> ControlState {
        var state = ControlState()
        for name in ["v1", "v2"] {
            _ = try state.createBackend(
                .init(name: name, kind: .handler(name)), registered: ["v1", "v2"])
        }
        let upstream = try ControlState.Backend(
            .init(name: "up", kind: .upstream(.init(addresses: ["127.0.0.1:1"]))))
        _ = try state.createBackend(upstream, registered: [])
        _ = try state.createEndpoint("e", route: "/p.S/", backend: "v1")
        _ = try state.setTraffic("e", [("v1", 0.75), ("up", 0.25)])
        _ = try state.setShadow("e", backend: "v2", proportion: 0.5)
        return state
    }

    private static func view() throws -> View {
        var view = View()
        view.history = StateHistory(try state())
        view.handlers = ["v1": ["p.S"]]
        var figures = ServingFigures()
        var calls = CallFigures()
        calls.started = 8
        calls.inFlight = 1
        for _ in 0..<7 {
            calls.record(.ok, nanoseconds: 2_000_000, sent: 2_000, received: 9)
        }
        figures.calls[key("v1")] = calls
        view.figures = figures
        view.uptime = .seconds(4)
        return view
    }

    private static func key(_ backend: String, isShadow: Bool = false) -> CallKey {
        CallKey(endpoint: "e", backend: backend, method: "/p.S/M", isShadow: isShadow)
    }

    // MARK: Metrics

    /// A line of the metrics, and the view that contains it.
    struct Metric: Sendable, CustomTestStringConvertible {
        let line: String
        let change: @Sendable (inout View) -> Void
        var testDescription: String { line }

        init(_ line: String, _ change: @escaping @Sendable (inout View) -> Void = { _ in }) {
            (self.line, self.change) = (line, change)
        }
    }

    private static let labels = #"grpc_method="p.S/M",endpoint="e",backend="v1",shadow="false""#

    private static func sizes(_ direction: String) -> String {
        "grpc_server_call_\(direction)_total_compressed_message_size_bytes"
    }

    private static let swift = "\(_SwiftStdlibVersion.current)"

    static let metrics = [
        Metric("grpc_server_call_started_total{\(labels)} 8"),
        Metric(#"grpc_server_call_duration_seconds_count{\#(labels),grpc_status="OK"} 7"#),
        Metric(#"\#(sizes("sent"))_sum{\#(labels),grpc_status="OK"} 14000"#),
        Metric(#"\#(sizes("sent"))_bucket{\#(labels),grpc_status="OK",le="1024.0"} 0"#),
        Metric(#"\#(sizes("sent"))_bucket{\#(labels),grpc_status="OK",le="2048.0"} 7"#),
        Metric(#"\#(sizes("rcvd"))_bucket{\#(labels),grpc_status="OK",le="1024.0"} 7"#),
        Metric("weir_requests_in_flight{\(labels)} 1"),
        Metric(#"weir_traffic_weight{endpoint="e",backend="up"} 0.25"#),
        Metric(#"weir_shadow_buffered_bytes{endpoint="e",backend="v2"} 9"#) {
            $0.shadows[.init(endpoint: "e", backend: "v2")] = .init(bufferedBytes: 9)
        },
        Metric(#"weir_backend_usable{backend="up"} 1"#) {
            $0.backends["up"] = .init(isUsable: true)
        },
        Metric(#"weir_backend_usable{backend="up"} 0"#) { $0.backends["up"] = .init() },
        Metric(#"weir_replica_ready{backend="up",replica="a"} 1"#) {
            $0.backends["up"] = .init(replicas: [.init(name: "a", state: .ready)])
        },
        Metric(#"weir_backend_waiting_requests{backend="up"} 3"#) {
            $0.backends["up"] = .init()
            $0.figures?.pools["up", default: PoolFigures()].waiting = 3
        },
        Metric("weir_unrouted_requests_total 5") { $0.figures?.unrouted = 5 },
        Metric("weir_late_calls_dropped_total 8") { $0.figures?.droppedLateCalls = 8 },
        Metric(#"weir_connections_refused_total{port="admin"} 2"#) {
            $0.figures?.refusedOperators = 2
        },
        Metric(#"weir_requests_refused_total{reason="memory"} 6"#) {
            $0.figures?.refused[.memory] = 6
        },
        Metric(#"weir_endpoint_requests_refused_total{endpoint="e",reason="rate"} 7"#) {
            $0.figures?.endpoints["e"] = EndpointFigures(rateLimited: 7)
        },
        Metric(#"weir_endpoint_requests_refused_total{endpoint="e",reason="overload"} 0"#),
        Metric(#"weir_limit{limit="drain-timeout"} 1.5"#) {
            $0.facts.limits = [("drain-timeout", "1.5")]
        },
        Metric("weir_log_lines_lost_total 4") { $0.facts.lostLogLines = { 4 } },
        Metric(#"weir_otlp_up{signal="logs"} 1"#) { $0.exportLogs { $0.isUp = true } },
        Metric(#"weir_otlp_up{signal="logs"} 0"#) { $0.exportLogs { $0.isUp = false } },
        Metric(#"weir_otlp_records_exported_total{signal="logs"} 5"#) {
            $0.exportLogs { $0.exported = 5 }
        },
        Metric(#"weir_otlp_records_dropped_total{signal="logs",reason="too_large"} 6"#) {
            $0.exportLogs { $0.tooLarge = 6 }
        },
        Metric(#"weir_otlp_records_queued{signal="logs"} 7"#) { $0.exportLogs { $0.queued = 7 } },
        Metric(#"weir_requests_refused_total{reason="headers"} 0"#),
        Metric(
            #"weir_build_info{version="1.2",commit="unknown",swift_version="\#(swift)"} 1"#
        ) { $0.facts.version = "1.2" },
        Metric(
            #"weir_build_info{version="1.2",commit="abc-dirty",swift_version="\#(swift)"} 1"#
        ) { ($0.facts.version, $0.facts.commit) = ("1.2", "abc-dirty") },
        Metric(
            #"weir_certificate_expiry_timestamp_seconds{port="data",chain="1",serial="0a"} 7"#
        ) { view in
            let chain = [("ff", Int64(9)), ("0a", 7)].map {
                ServedCertificate(serialNumber: $0, expirySeconds: $1)
            }
            view.facts.certificates = { [.init(port: "data", chain: chain)] }
        },
        Metric("process_threads 3") { $0.process = ProcessSample(stat: ProcessSampleTests.stat) },
        Metric("weir_store_up 1"),
        Metric("weir_store_up 0") { $0.storeProblem = .ending },
        Metric("weir_store_diverged 1") { $0.storeProblem = StoreProblem(.foreign("x")) },
        Metric("weir_store_diverged 0") { $0.storeProblem = StoreProblem(.unavailable("x")) },
        Metric("weir_state_copy_up 0") { $0.isCopyUp = false },
    ]

    @Test("The metrics are a function of the view", arguments: metrics)
    func writesMetrics(_ metric: Metric) throws {
        var view = try Self.view()
        metric.change(&view)
        for format in MetricsText.Format.allCases {
            let text = view.metrics(try view.requireFigures(), format)
            #expect(text.split(separator: "\n").contains { $0 == metric.line })
        }
    }

    @Test("Metrics of what a server does not have are absent")
    func omitsMetrics() throws {
        let view = try Self.view()
        let text = view.metrics(try view.requireFigures(), .prometheus)
        #expect(!text.contains("weir_state_copy_up"))
        #expect(!text.contains("weir_log_lines_lost_total"))
        #expect(!text.contains("process_"))
        #expect(!text.contains("weir_otlp_"))
    }

    @Test("Whether a collector is usable is unknown before the first request to it has ended")
    func omitsUnknownCollector() throws {
        var view = try Self.view()
        view.facts.exports = {
            [("traces", ExportFigures()), ("logs", ExportFigures())]
        }
        #expect(!view.metrics(try view.requireFigures(), .prometheus).contains("weir_otlp_up"))
        view.exportLogs { $0.isUp = false }
        let text = view.metrics(try view.requireFigures(), .prometheus)
        #expect(text.split(separator: "\n").filter { $0.hasPrefix("weir_otlp_up") }.count == 1)
    }

    @Test("Only OpenMetrics has exemplars, at the bucket of their latency")
    func writesExemplars() throws {
        let view = try Self.view()
        var figures = try view.requireFigures()
        let key = CallKey(endpoint: "e", backend: "b", method: "/p.S/M", isShadow: false)
        let trace = TraceContext(
            traceID: try #require(TraceID(high: 0xa, low: 0xb)), spanID: try #require(SpanID(0xc)),
            flags: .sampled)
        var calls = CallFigures()
        calls.add(Exemplar(trace, nanoseconds: 1, time: 1), .ok)
        for nanoseconds in [2_500_000, 200_000_000_000] as [UInt64] {
            calls.record(.ok, nanoseconds: nanoseconds)
            calls.add(
                Exemplar(trace, nanoseconds: nanoseconds, time: 1_700_000_000_012_345_678), .ok)
        }
        figures.calls = [key: calls]
        #expect(!view.metrics(figures, .prometheus).contains("trace_id"))
        let lines = view.metrics(figures, .openMetrics).split(separator: "\n")
            .filter { $0.contains(" # ") && !$0.hasPrefix("#") }
        let labels = #"{trace_id="\#(trace.traceID.hex)",span_id="000000000000000c"}"#
        #expect(lines.count == 2)
        #expect(lines[0].contains(#"le="0.003"} 1 # "#))
        #expect(lines[0].hasSuffix("# \(labels) 0.0025 1700000000.012"))
        #expect(lines[1].contains(#"le="+Inf"} 2 # "#))
        #expect(lines[1].hasSuffix("# \(labels) 200.0 1700000000.012"))
    }

    @Test("The formats differ in the metadata of counters, units and infos, and in the end")
    func writesFormats() throws {
        let view = try Self.view()
        let figures = try view.requireFigures()
        let texts = MetricsText.Format.allCases.map { view.metrics(figures, $0) }
        let (samples, metadata) = (
            texts.map { text in text.split(separator: "\n").filter { !$0.hasPrefix("#") } },
            texts.map { text in text.split(separator: "\n").filter { $0.hasPrefix("#") } }
        )
        #expect(samples[0] == samples[1])
        #expect(!texts[0].contains("trace_id") && !texts[1].contains("trace_id"))
        for (prometheus, openMetrics) in [
            (
                "# TYPE grpc_server_call_started_total counter",
                "# TYPE grpc_server_call_started counter"
            ),
            ("# TYPE weir_build_info gauge", "# TYPE weir_build info"),
            ("# TYPE weir_revision gauge", "# TYPE weir_revision gauge"),
            (
                "# TYPE grpc_server_call_duration_seconds histogram",
                "# UNIT grpc_server_call_duration_seconds seconds"
            ),
        ] {
            #expect(metadata[0].contains { $0 == prometheus })
            #expect(metadata[1].contains { $0 == openMetrics })
        }
        #expect(!texts[0].contains("# EOF") && !texts[0].contains("# UNIT"))
        #expect(texts[1].hasSuffix("\n# EOF\n"))
    }

    // MARK: Statistics

    @Test("The statistics list each backend of an endpoint, with rates over the uptime")
    func listsStatistics() throws {
        let stats = try Self.view().stats(endpoint: "e")
        #expect(stats.seconds == 4)
        #expect(stats.backends.map(\.backend) == ["up", "v1", "v2"])
        #expect(stats.backends.map(\.shadow) == [false, false, true])
        #expect(stats.backends.map(\.weight) == [0.25, 0.75, 0.5])
        #expect(stats.backends.map(\.requests) == [0, 8, 0])
        #expect(stats.backends.map(\.requestsPerSecond) == [0, 2, 0])
        #expect(stats.backends[1].statuses.map(\.count) == [7])
        #expect(throws: ControlError.self) { try Self.view().stats(endpoint: "x") }
        // The latency of an endpoint is that of all its backends, without shadows.
        #expect(stats.endpoints.map(\.endpoint) == ["e"])
        #expect(stats.endpoints[0].latency == stats.backends[1].latency)
        #expect(stats.endpoints[0].rateLimited == 0)
    }

    @Test("Requests for which no backend was chosen are those of their endpoint")
    func refusals() throws {
        var view = try Self.view()
        view.figures = ServingFigures()
        let none = try view.stats(endpoint: "").endpoints
        #expect(none.isEmpty)
        view.figures?.endpoints["e"] = EndpointFigures(rateLimited: 2, overloaded: 3)
        view.figures?.endpoints["f"] = EndpointFigures()
        let endpoints = try view.stats(endpoint: "").endpoints
        #expect(endpoints.map(\.endpoint) == ["e"])
        #expect(endpoints[0].rateLimited == 2 && endpoints[0].overloaded == 3)
    }

    // MARK: Statuses

    @Test(
        "The status of a backend is a function of the view",
        arguments: [
            ("v1", nil, nil), ("v2", nil, "no handler 'v2' is compiled into this server"),
            ("up", .init(isUsable: true, problem: "none is connected"), ""),
            ("up", .init(problem: "none is connected"), "none is connected"),
            (
                "up", .init(isUsable: true, workers: [], updateFailure: "no such file"),
                "no such file"
            ),
        ] as [(String, ControlPlane.BackendSample?, String?)])
    func reportsStatus(
        name: String, sample: ControlPlane.BackendSample?, problem: String?
    ) throws {
        var view = try Self.view()
        view.backends[name] = sample
        let backend = view.message(try view.state.existingBackend(name))
        #expect(backend.status?.problem == problem)
        #expect(backend.status?.usable == problem.map { _ in sample?.isUsable ?? false })
        #expect(backend.endpoints == ["e"])
        #expect(backend.services == (name == "v1" ? ["p.S"] : []))
    }

    // MARK: Warnings

    /// Weights before a change that gives `v2` more, a view, and the warnings.
    private func warnings(_ figures: ServingFigures?) throws -> [String] {
        var view = try Self.view()
        view.figures = figures
        var after = view.state
        _ = try after.setTraffic("e", [("v1", 0.5), ("v2", 0.5)])
        return view.shadowWarnings(from: view.state, to: after)
    }

    @Test("A bad shadow report is a warning for a backend that receives more weight")
    func warns() throws {
        var figures = ServingFigures()
        #expect(try warnings(figures).isEmpty)
        var shadow = ShadowFigures()
        for _ in 0..<200 { shadow.drop(.noReplica) }
        figures.shadows[.init(endpoint: "e", backend: "v2")] = shadow
        let expected =
            "the shadow report of 'v2' is bad: UNREACHABLE: 200 of 200 copies found no usable "
            + "replica"
        #expect(try warnings(figures) == [expected])
    }

    @Test("Figures that cannot be read become a warning, since the change is stored already")
    func warnsWithoutFigures() throws {
        #expect(
            try warnings(nil)
                == ["the shadow reports are unavailable: the server is shutting down"])
    }

    @Test("Reads that need figures fail without them")
    func requiresFigures() throws {
        var view = try Self.view()
        view.figures = nil
        #expect(throws: RPCError.self) { try view.stats(endpoint: "") }
        #expect(throws: RPCError.self) { try view.shadowReports("e", backend: "") }
    }
}

extension ControlPlane.View {
    /// A server that exports log records with these figures.
    fileprivate mutating func exportLogs(_ change: (inout ExportFigures) -> Void) {
        var figures = ExportFigures()
        change(&figures)
        facts.exports = { [figures] in [("traces", ExportFigures()), ("logs", figures)] }
    }
}
