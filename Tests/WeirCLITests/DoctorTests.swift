internal import GRPCWire
internal import Messages
internal import Testing
internal import Weir

@testable internal import WeirCLI

@Suite struct DoctorTests {
    typealias Level = Finding.Level

    @Test(
        "The cause of an admin port that cannot be used is named",
        arguments: [
            (StatusCode.unimplemented, 8_000, "is not an admin port"),
            (.unauthenticated, 8_001, "WEIR_TOKEN"), (.permissionDenied, 8_001, "viewer"),
            (.unavailable, 8_000, "Port 8000 is usually the data port"),
            (.unavailable, 8_001, "Start a server"),
        ])
    func unreachable(code: StatusCode, port: Int, text: String) {
        let finding = ServerChecks.unreachable(
            RPCError(code, "refused"), Address(host: "127.0.0.1", port: port))
        #expect(finding.level == .failure && finding.text.contains(text))
    }

    @Test(
        "An address that is not the server's data port is reported",
        arguments: [
            ("127.0.0.1:8000", "127.0.0.1:8000", Level.ok, "serves"),
            ("db.example:8000", "0.0.0.0:8000", .ok, "serves"),
            ("127.0.0.1:8001", "127.0.0.1:8000", .failure, "is the admin port"),
            ("127.0.0.1:8001", nil, .failure, "is the admin port"),
            ("127.0.0.1:9000", "127.0.0.1:8000", .warning, "another server"),
            ("127.0.0.1:9000", nil, .ok, "serves"), ("127.0.0.1:9000", "?", .ok, "serves"),
        ] as [(String, String?, Level, String)])
    func dataPort(address: String, own: String?, level: Level, text: String) throws {
        let finding = ServerChecks.dataPort(
            try Address(address), admin: try Address("127.0.0.1:8001"), own: own)
        #expect(finding.level == level && finding.text.contains(text))
    }

    @Test(
        "The store that --store names is judged",
        arguments: [
            ("sqlite:/a", nil, nil, Level.ok), ("sqlite:/a", nil, "sqlite:/a", .ok),
            ("sqlite:/a", nil, "sqlite:/b", .warning), ("sqlite:/a", nil, "memory:", .warning),
            ("sqlite:a", nil, "sqlite:/b/a", .ok), ("sqlite:/b/a", nil, "sqlite:a", .ok),
            ("etcd:http://a:1?prefix=x", nil, "sqlite:/b", .warning),
            ("sqlite:/a", "missing", "sqlite:/a", .failure),
            ("etcd:http://a:1?prefix=x", "refused", nil, .failure),
        ] as [(String, String?, String?, Level)])
    func namedStore(named: String, problem: String?, server: String?, level: Level) {
        let finding = MachineChecks.store(named, problem: problem, server: server)
        #expect(finding.level == level && finding.text.contains(problem ?? ""))
    }

    @Test("A server without TLS is not called silent")
    func plaintext() {
        let finding = ServerChecks.unreachable(
            RPCError(.unavailable, "...: it may not use TLS"), Address(host: "a", port: 8_001))
        #expect(finding.text.contains("omit --admin-tls"))
        for (message, option) in [
            ("it requires TLS", "--admin-tls-ca"),
            ("the server's certificate is not trusted", "--admin-tls-ca"),
            ("the server's certificate is for another name", "--admin-tls-server-name"),
        ] {
            let error = RPCError(.unavailable, message)
            let finding = ServerChecks.unreachable(error, Address(host: "a", port: 8_001))
            #expect(finding.text.contains(option) && !finding.text.contains("Start a server"))
            #expect(hint(for: error).contains(option))
        }
        #expect(hint(for: RPCError(.unavailable, "refused")).isEmpty)
        #expect(hint(for: RPCError(.unimplemented, "no method")).isEmpty)
    }

    @Test(
        "Clocks may differ by two seconds and by the time of the request",
        arguments: [
            (100, Level.ok), (102, .ok), (98, .ok), (103.1, .warning), (97.9, .warning),
            (1e300, .warning), (-1e300, .warning),
        ] as [(Double, Level)])
    func clocks(server: Double, level: Level) {
        #expect(ServerChecks.clock(server: server, local: 100...101).level == level)
    }

    private static func instances(
        _ store: String, failure: String = "", _ servers: [Weir_Admin_V1_Instance] = []
    ) -> [Finding] {
        ServerChecks.store(.init(instances: servers, store: store, storeFailure: failure))
    }

    @Test("The state of the store and of the servers is judged")
    func store() {
        #expect(Self.instances("sqlite:/a").map(\.level) == [.ok])
        #expect(Self.instances("memory:").map(\.level) == [.warning])
        #expect(Self.instances("etcd:a", failure: "refused").map(\.level) == [.failure])
        let twins = Self.instances(
            "etcd:a", [.init(name: "a", version: "1"), .init(name: "a", version: "2")])
        #expect(twins.map(\.level) == [.ok, .warning, .failure])
        #expect(twins.last?.text.contains("2 servers have the name 'a'") == true)
        let states = Self.instances(
            "etcd:a",
            [
                .init(name: "a", state: .diverged, problem: "other history"),
                .init(name: "b", state: .stale, problem: "lost"),
            ])
        #expect(states.map(\.level) == [.ok, .failure, .failure])
    }

    private static func backend(
        _ status: Weir_Admin_V1_BackendStatus?, isUsed: Bool = true,
        _ kind: Weir_Admin_V1_Backend.OneOf_Kind = .upstream(.init(addresses: ["a:1"]))
    ) -> [Finding] {
        ServerChecks.backends([
            .init(name: "b", kind: kind, endpoints: isUsed ? ["e"] : [], status: status)
        ])
    }

    @Test("An unusable backend is a failure if an endpoint uses it")
    func backends() {
        #expect(Self.backend(.init(usable: true)).map(\.level) == [.ok])
        #expect(Self.backend(.init(usable: false)).map(\.level) == [.failure])
        #expect(Self.backend(.init(usable: false), isUsed: false).map(\.level) == [.warning])
        #expect(Self.backend(.init(usable: true), isUsed: false).map(\.level) == [.warning])
        #expect(Self.backend(.init(usable: true, problem: "stopped")).map(\.level) == [.warning])
        #expect(Self.backend(.init(usable: true, lease: .gone)).map(\.level) == [.failure])
        let handler = Weir_Admin_V1_Backend.OneOf_Kind.handler(.init(handler: "h"))
        #expect(Self.backend(.init(), handler).map(\.level) == [.failure])
        #expect(Self.backend(nil, handler).map(\.level) == [.ok])
        #expect(ServerChecks.backends([]).map(\.level) == [.warning])
        let loop = ServerChecks.backends(
            [
                .init(
                    name: "b", kind: .upstream(.init(addresses: ["a:1", "a:2"])), endpoints: ["e"])
            ],
            own: ["a:2"])
        #expect(loop.map(\.level) == [.failure] && loop[0].text.contains("a:2 is this Weir"))
    }

    @Test(
        "A service's route without its last slash is reported",
        arguments: [
            ("/helloworld.Greeter", Level.warning), ("/helloworld.Greeter/", .ok),
            ("/helloworld.Greeter/SayHello", .ok), ("/prices", .ok), ("", .ok),
        ])
    func routes(route: String, level: Level) {
        let findings = ServerChecks.endpoints([.init(name: "e", route: route)])
        #expect(findings.map(\.level) == [level])
    }

    @Test("Weights that revert, rollouts that wait and missing endpoints are reported")
    func endpoints() {
        #expect(ServerChecks.endpoints([]).map(\.level) == [.warning])
        let box = Weir_Admin_V1_TrafficTimeBox(reverts: .init(seconds: 0), confirmable: true)
        let finding = ServerChecks.endpoints([.init(name: "e", timeBox: box)])
        #expect(finding.first?.text.contains("unless 'weir traffic confirm'") == true)
        let rollouts = ServerChecks.rollouts([
            PagesTests.rollout(), PagesTests.rollout(phase: .paused, reason: "approval"),
        ])
        #expect(rollouts.map(\.level) == [.warning])
    }

    @Test("A proxy that clients would use is reported")
    func proxies() {
        func levels(_ environment: [String: String]) -> [Level] {
            MachineChecks.proxies(environment, hosts: ["127.0.0.1"]).map(\.level)
        }
        #expect(levels([:]) == [])
        #expect(levels(["http_proxy": ""]) == [])
        #expect(levels(["http_proxy": "http://p:1"]) == [.warning])
        #expect(levels(["grpc_proxy": "http://p:1", "no_proxy": "example.com, 127.0.0.1"]) == [])
        #expect(levels(["https_proxy": "http://p:1", "no_proxy": "*"]) == [])
        #expect(levels(["https_proxy": "http://p:1", "no_proxy": ","]) == [.warning])
    }

    @Test("The limits of the machine are judged at their bounds")
    func machine() {
        #expect(MachineChecks.descriptors(4_095).level == .warning)
        #expect(MachineChecks.descriptors(4_096).level == .ok)
        #expect(MachineChecks.descriptors(nil).level == .warning)
        #expect(MachineChecks.backlog(1_023)?.level == .warning)
        #expect(MachineChecks.backlog(1_024) == nil && MachineChecks.backlog(nil) == nil)
        #expect(MachineChecks.space(nil, in: "/a").level == .ok)
        #expect(MachineChecks.space(100 << 20, in: "/a").level == .ok)
        #expect(MachineChecks.space((100 << 20) - 1, in: "/a").level == .warning)
        #expect(MachineChecks.space(.max, in: "/a").level == .ok)
        #expect(MachineChecks.variables(["WEIR_ADMIN": "a:1", "WEIR_ADDRESS": "a:1"]).count == 1)
        #expect(MachineChecks.variables(["WEIR_ADMIN": "a:1", "WEIR_ADDRESS": "a:2"]).isEmpty)
    }

    @Test(
        "A certificate is judged by the time that is left",
        arguments: [
            (nil, Level.failure), (999, .failure), (1_000, .warning),
            (1_000 + 14 * 86_400 - 1, .warning), (1_000 + 14 * 86_400, .ok), (.max, .ok),
            (.min, .failure),
        ] as [(Int64?, Level)])
    func certificates(expiry: Int64?, level: Level) {
        #expect(MachineChecks.certificate("a.pem", expiry: expiry, now: 1_000).level == level)
    }

    @Test("Findings fit the terminal, and external text is escaped", arguments: [40, 80])
    func page(columns: Int) {
        let findings = [
            Finding.ok("store", "fine"),
            .failure(
                "backend b\u{1b}", "not usable: a reason of several words that is \u{9b} long"),
        ]
        let page = Finding.page(findings, screen: Screen(columns: columns, rows: nil)).text
        #expect(page.split(separator: "\n").allSatisfy { $0.count <= columns })
        #expect(!page.contains("\u{1b}") && page.hasPrefix("ok       store"))
    }
}
