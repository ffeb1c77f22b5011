internal import Foundation
internal import Logging
internal import Synchronization
internal import TestSupport
internal import Testing
internal import Weir

/// Returns the backend's name and the request.
private func answering(_ name: String) -> HandlerBackend {
    HandlerBackend(
        name,
        services: [
            .dynamic { request, context in
                let text = String(decoding: request.payload, as: UTF8.self)
                let json =
                    "{\"by\":\"\(name)\",\"asked\":\(text),\"method\":\"\(request.methodName)\"}"
                if request.query == "wait" { try await waitForCancellation() }
                return Weir_V1_CallResponse(payload: Array(json.utf8))
            }
        ])
}

private struct Answer: Decodable, Equatable {
    var by: String
    var asked: [Int]
    var method: String
}

@Suite(.timeLimit(.minutes(1))) struct WeirControlTests {
    private func withControl(
        _ backends: [HandlerBackend], _ limits: Limits = Limits(),
        _ body: (WeirControl, WeirServer.Addresses) async throws -> Void
    ) async throws {
        var configuration = WeirServer.Configuration()
        configuration.data = Address(host: "127.0.0.1", port: 0)
        configuration.admin = Address(host: "127.0.0.1", port: 0)
        configuration.loops = 2
        configuration.limits = limits
        configuration.log.logLevel = .critical
        let server = WeirServer(configuration, backends: backends)
        let addresses = try await server.start()
        do {
            let control = try await WeirControl(addresses.admin, author: "ada")
            try await body(control, addresses)
            await control.close()
        } catch {
            Issue.record(error)
        }
        try await server.shutDown()
    }

    /// The error of a call that must fail.
    private func refusal(_ call: () async throws -> Void) async throws -> RPCError {
        try #require(await #expect(throws: RPCError.self) { try await call() })
    }

    @Test("The scenario of Ray Serve's traffic page")
    func traffic() async throws {
        try await withControl([answering("v1"), answering("v2")]) { weir, addresses in
            #expect(weir.dataAddress == addresses.data)
            try await weir.createEndpoint("api", route: "/api", backend: "v1")
            let half = ["v1": 0.5, "v2": 0.5]
            let plan = try await weir.setTraffic("api", half, .init(validateOnly: true))
            #expect(plan.movedShare == 0.5)
            #expect(try await weir.endpoint("api").traffic == ["v1": 1])
            try await weir.setTraffic("api", half, .init(comment: "half"))
            let latest = try #require(try await weir.history(limit: 1).first)
            #expect(latest.comment == "half" && latest.author == "ada" && latest.time > 1e9)

            let endpoint = try await weir.endpoint("api")
            var seen: Set<String> = []
            for number in 0..<30 {
                let key = "user-\(number)"
                let handle = weir.handle("api").with(shardKey: key, method: "other")
                let answer: Answer = try await handle.call([number])
                #expect(answer.by == endpoint.explain(key))
                #expect(answer == Answer(by: answer.by, asked: [number], method: "other"))
                let told = try await weir.explain("api", shardKey: key)
                #expect(told.backend == answer.by)
                #expect(try await weir.explain("/api", shardKey: key).backend == answer.by)
                seen.insert(answer.by)
            }
            #expect(seen == ["v1", "v2"] && endpoint.explain("") == nil)

            #expect(
                try await weir.shadowTraffic("api", backend: "v2", proportion: 1).shadows
                    == ["v2": 1])
            let response = try await weir.handle("api").call(bytes: Array("[1]".utf8))
            #expect(response.status == 200 && response.contentType == "application/json")
            #expect(response.backend.map(seen.contains) == true)
            #expect(try await weir.shadowReport("api").map(\.backend) == ["v2"])
            let requests = try await weir.stats("api").filter { !$0.isShadow }.map(\.requests)
            #expect(requests.reduce(0, +) == 31)
            let moved = try await weir.rollback(to: latest.revision - 1, endpoint: "api")
            #expect(moved == ["api": 0.5])
            try await weir.deleteEndpoint("api")
            #expect(try await weir.listEndpoints().isEmpty)
        }
    }

    @Test("Upstream and worker backends")
    func backends() async throws {
        try await withControl([]) { weir, _ in
            try await weir.createBackend("upstream", upstream: ["127.0.0.1:1"])
            try await weir.createBackend("worker", worker: ["/bin/sleep", "60"], replicas: 2)
            let backends = try await weir.listBackends()
            #expect(backends.map(\.name) == ["upstream", "worker"])
            #expect(backends[0].addresses == ["127.0.0.1:1"])
            #expect(backends[1].command == ["/bin/sleep", "60"])
            try await weir.deleteBackend("worker")
            try await weir.createEndpoint("named", backend: "upstream")
            let error = try await refusal { try await weir.deleteBackend("upstream") }
            #expect(error.code == .failedPrecondition && error.reason == "BACKEND_IN_USE")
        }
    }

    @Test("Errors have a message, a field and a reason")
    func refusals() async throws {
        try await withControl([answering("v1")]) { weir, _ in
            try await weir.createEndpoint("api", backend: "v1")
            var error = try await refusal { try await weir.setTraffic("api", ["v1": 0.9]) }
            #expect(error.code == .invalidArgument && error.field == "weights")
            #expect(error.message.contains("must sum to 1") && error.reason == nil)
            error = try await refusal {
                try await weir.setTraffic("api", ["v1": 1], .init(expectedRevision: 0))
            }
            #expect(error.code == .aborted && error.reason == "REVISION_CONFLICT")
            error = try await refusal { _ = try await weir.handle("none").call(bytes: []) }
            #expect(error.code == .notFound)
            error = try await refusal {
                _ = try await weir.handle("api").with(query: "wait", timeout: .milliseconds(50))
                    .call(bytes: [0x31])
            }
            #expect(error.code == .deadlineExceeded)
        }
        let nobody = try await refusal {
            _ = try await WeirControl(Address(host: "127.0.0.1", port: 1))
        }
        #expect(nobody.code == .unavailable)
    }

    @Test("The whole state, rate limits and comparison of shadows")
    func wholeState() async throws {
        try await withControl([answering("v1"), answering("v2")]) { weir, _ in
            try await weir.createEndpoint("api", route: "/api", backend: "v1")
            let state = try await weir.export()
            #expect(try await weir.apply(state).changes.isEmpty)
            let moved = state.replacing("\"/api\"", with: "\"/moved\"")
            let plan = try await weir.apply(moved, .init(validateOnly: true))
            #expect(plan.changes.map(\.name) == ["api"] && plan.changes.first?.action == .change)
            #expect(try await weir.endpoint("api").route == "/api")
            var error = try await refusal { try await weir.apply("{\"backend\": []}") }
            #expect(error.code == .invalidArgument && error.message.contains("backend"))
            error = try await refusal { try await weir.apply("{}") }
            #expect(error.code == .failedPrecondition)
            #expect(error.message.contains("does not name") && error.message.contains("'api'"))
            #expect(try await weir.export() == state)
            let pruned = try await weir.apply("{}", prune: true, .init(validateOnly: true))
            #expect(pruned.changes.contains { $0.name == "api" && $0.action == .remove })
            try await weir.apply(moved)
            #expect(try await weir.endpoint("api").route == "/moved")
            try await weir.apply(state)
            #expect(try await weir.export(revision: 1) != state)

            try await weir.setRateLimit("api", requestsPerSecond: 100, burst: 5)
            #expect(try await weir.export().contains("\"requestsPerSecond\": 100"))
            error = try await refusal {
                try await weir.setRateLimit("api", requestsPerSecond: .nan)
            }
            #expect(error.field == "rate_limit.requests_per_second")
            try await weir.setRateLimit("api", requestsPerSecond: nil)
            #expect(try await !weir.export().contains("requestsPerSecond"))

            var comparison = WeirControl.ShadowComparison()
            comparison.ignoredFields = ["time"]
            comparison.tolerances = ["price": .relative(0.01), "count": .absolute(1)]
            try await weir.setShadowComparison("api", comparison)
            let compared = try await weir.export()
            #expect(compared.contains("\"time\"") && compared.contains("\"relative\": 0.01"))
            try await weir.shadowTraffic("api", backend: "v2", proportion: 0.5)
            try await weir.resetShadowReport("api", backend: "v2")
            error = try await refusal { try await weir.resetShadowReport("api", backend: "v1") }
            #expect(error.code == .notFound)
        }
    }

    @Test("Rollouts")
    func rollouts() async throws {
        try await withControl([answering("v1"), answering("v2")]) { weir, _ in
            try await weir.createEndpoint("api", route: "/api", backend: "v1")
            var plan = WeirControl.RolloutPlan(
                candidate: "v2", steps: ["10%", "50%"], gates: ["errors<1.5x"])
            plan.minimum = .seconds(3_600)
            plan.requirement = .proof
            plan.onInconclusive = .abort
            #expect(
                try await weir.startRollout("api", plan, .init(validateOnly: true)).candidate
                    == "v2")
            #expect(try await weir.listRollouts().isEmpty)
            let started = try await weir.startRollout("api", plan)
            #expect(started.steps == ["10%", "50%", "100%"] && !started.hasEnded)
            #expect(try await weir.pauseRollout("api").pause == "operator")
            #expect(try await weir.resumeRollout("api").pause == "")
            #expect(try await weir.advanceRollout("api", .init(comment: "fine")).step == 1)
            #expect(try await weir.listRollouts().map(\.endpoint) == ["api"])
            try await weir.watchRollout("api") { rollout in
                if !rollout.hasEnded { try await weir.abortRollout("api", immediately: true) }
            }
            let latest = try await weir.rollout("api")
            #expect(latest.phase == .aborted && latest.weight == 0)
            try await weir.startRollout("api", plan)
            #expect(try await weir.promoteRollout("api").phase == .succeeded)
            let error = try await refusal { _ = try await weir.rollout("none") }
            #expect(error.code == .notFound)
        }
    }

    @Test("The published vectors")
    func vectors() throws {
        struct Vectors: Decodable {
            struct Interval: Decodable {
                var start, backend: String
            }
            struct Choice: Decodable {
                var key, point, backend: String
            }
            struct Case: Decodable {
                var endpoint: String
                var intervals: [Interval]
                var choices: [Choice]
            }
            var cases: [Case]
        }
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../protos/vectors/affinity.json")
        let vectors = try JSONDecoder().decode(Vectors.self, from: try Data(contentsOf: file))
        var checked = 0
        for set in vectors.cases {
            let intervals = try set.intervals.map {
                Weir_Admin_V1_Interval(
                    start: try #require(UInt64($0.start)), backend: $0.backend)
            }
            let endpoint = WeirControl.Endpoint(
                Weir_Admin_V1_Endpoint(name: set.endpoint, intervals: intervals))
            for choice in set.choices {
                #expect("\(endpoint.point(of: choice.key))" == choice.point)
                let expected = choice.key.isEmpty ? nil : choice.backend
                #expect(endpoint.explain(choice.key) == expected)
                checked += 1
            }
        }
        #expect(checked > 20)
    }

    @Test("A failed call is retried as often as allowed, within its timeout")
    func retries() async throws {
        let attempts = Mutex(0)
        let failing = HandlerBackend(
            "failing",
            services: [
                .dynamic { request, _ in
                    let number = attempts.withLock { attempts in
                        attempts += 1
                        return attempts
                    }
                    guard number >= 3 else { throw RPCError(.unavailable, "not yet") }
                    return Weir_V1_CallResponse(payload: Array("\(number)".utf8))
                }
            ])
        try await withControl([failing]) { weir, _ in
            try await weir.createEndpoint("api", backend: "failing")
            var retry = WeirClient.Retry()
            retry.initialDelay = .milliseconds(1)
            let number: Int = try await weir.handle("api").with(retry: retry).call(0)
            #expect(number == 3)
            attempts.withLock { $0 = 0 }
            retry.maxAttempts = 2
            let handle = weir.handle("api")
            var error = try await refusal {
                _ = try await handle.with(retry: retry).call(bytes: [])
            }
            #expect(error.message == "not yet" && attempts.withLock { $0 } == 2)
            attempts.withLock { $0 = -1_000_000 }
            retry.maxAttempts = 1_000_000
            error = try await refusal {
                _ = try await handle.with(timeout: .milliseconds(200), retry: retry).call(bytes: [])
            }
            #expect(error.code == .unavailable || error.code == .deadlineExceeded)
            attempts.withLock { $0 = -1_000 }
            retry.codes = [.aborted]
            _ = try await refusal { _ = try await handle.with(retry: retry).call(bytes: []) }
            #expect(attempts.withLock { $0 } == -999)
        }
    }

    @Test("A client opens another connection when the server's limit of streams is reached")
    func pool() async throws {
        var limits = Limits()
        limits.maxConcurrentStreams = 4
        try await withControl([answering("v1")], limits) { weir, addresses in
            try await weir.createEndpoint("api", backend: "v1")
            let client = WeirClient(addresses.data, maxConnections: 3)
            var options = WeirClient.CallOptions(timeout: .seconds(20))
            options.metadata.add("x-serve-endpoint", "api")
            let request = Weir_V1_CallRequest(payload: [0x31], query: "wait")
            func begin() async throws -> ClientCall {
                let call = try await client.open("/weir.v1.Serve/Call", options)
                try await call.send(try request.serializedBytes())
                call.finish()
                return call
            }
            var calls: [ClientCall] = []
            for _ in 0..<10 { calls.append(try await begin()) }
            // Ten calls with four per connection.
            #expect(try await eventually { try await weir.stats("api").first?.requests == 10 })
            for call in calls { call.cancel() }
            await client.close()
        }
    }
}
