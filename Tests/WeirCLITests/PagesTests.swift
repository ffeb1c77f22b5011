internal import Messages
internal import Testing

@testable internal import WeirCLI

/// Pages at the widths of terminals.
@Suite struct PagesTests {
    static let widths = [40, 50, 80, 120, 200]

    private static func widest(_ page: TerminalText) -> Int {
        page.text.split(separator: "\n").map(\.count).max() ?? 0
    }

    private static func stats(_ name: String = "greeter") -> Weir_Admin_V1_Stats {
        func row(_ backend: String, _ weight: Double, shadow: Bool = false)
            -> Weir_Admin_V1_BackendStats
        {
            Weir_Admin_V1_BackendStats(
                endpoint: name, backend: backend, shadow: shadow, weight: weight,
                requests: 1_234_567, requestsPerSecond: 1_234.5, inFlight: 12,
                statuses: [.init(code: 14, name: "UNAVAILABLE", count: 1_234)],
                latency: .init(p50Us: 385, p90Us: 1_385, p99Us: 12_385, maxUs: 3_123_385))
        }
        return Weir_Admin_V1_Stats(
            seconds: 1_234.5,
            backends: [
                row("\(name)-v1", 0.99), row("\(name)-v2", 0.01),
                row("\(name)-v3", 1, shadow: true),
            ],
            revision: 123, connections: 10_000, unrouted: 5)
    }

    @Test("Statistics fit the terminal, also with long names", arguments: widths)
    func stats(columns: Int) {
        for name in ["greeter", String(repeating: "recommendation-", count: 8)] {
            for isLive in [true, false] {
                let page = StatsText.page(Self.stats(name), isLive: isLive, columns: columns)
                #expect(Self.widest(page) <= columns, "\(page.text)")
                #expect(page.text.contains("v2") && page.text.contains("ENDPOINT"))
            }
        }
    }

    @Test(
        "A narrow terminal shows fewer columns, in the documented order",
        arguments: [
            (nil, "ENDPOINT BACKEND WEIGHT SHARE REQUESTS ERRORS IN FLIGHT P50 P90 P99 MAX"),
            (130, "ENDPOINT BACKEND WEIGHT SHARE REQUESTS ERRORS IN FLIGHT P50 P90 P99 MAX"),
            (80, "ENDPOINT BACKEND WEIGHT SHARE REQUESTS ERRORS P99"),
            (50, "ENDPOINT BACKEND WEIGHT REQUESTS ERRORS"),
            (40, "ENDPOINT BACKEND WEIGHT REQUESTS"), (30, "ENDPOINT BACKEND REQUESTS"),
        ] as [(Int?, String)])
    func columns(limit: Int?, titles: String) {
        let page = StatsText.page(Self.stats(), isLive: false, columns: limit)
        let heading = page.text.prefix { $0 != "\n" }.split(separator: " ").joined(separator: " ")
        #expect(heading == titles)
    }

    static func rollout(
        phase: Weir_Admin_V1_RolloutPhase = .observing, pause: String = "", reason: String = "",
        passed: Bool = false, lower: Double = 0.5, upper: Double = 2
    ) -> Weir_Admin_V1_Rollout {
        let ratio = Weir_Admin_V1_RolloutRatio(lower: lower, estimate: 1.02, upper: upper)
        return Weir_Admin_V1_Rollout(
            endpoint: "greeter",
            plan: .init(
                candidate: "greeter-v2", steps: ["shadow:100%", "1%", "10%", "50%", "100%"],
                gates: ["errors<1.5x", "p99<1.2x"], minimumRequests: 100),
            phase: phase, step: 2, reason: reason, pause: pause, weight: 0.1, requests: 12_345,
            gates: [
                .init(
                    gate: "errors<1.5x", requests: 12_345, candidateBad: 123, baselineBad: 456,
                    ratio: ratio, logFailure: 0.5, logPass: passed ? 4 : 1, passed: passed),
                .init(
                    gate: "p99<1.2x", requests: 12_345, candidateBad: 23, baselineBad: 56,
                    ratio: ratio, logFailure: 0.5, logPass: passed ? 4 : 0.1, passed: passed),
            ],
            logFailure: 0.5, logThreshold: 3, author: "ada@host.example.com",
            started: .init(seconds: 1_700_000_000), revision: 17)
    }

    @Test("A rollout fits the terminal", arguments: widths)
    func rollout(columns: Int) {
        let screen = Screen(columns: columns, rows: nil)
        let long =
            "no requests at the candidate for 30 s; the rollout resumes when it receives some"
        for rollout in [
            Self.rollout(), Self.rollout(passed: true),
            Self.rollout(phase: .paused, pause: "no_traffic", reason: long),
            Self.rollout(phase: .aborted, reason: "gate errors<1.5x failed"), .init(),
        ] {
            let page = RolloutText.page(rollout, screen: screen)
            #expect(Self.widest(page) <= columns, "\(page.text)")
        }
    }

    @Test("A page names the position, the requests until proof, the owner and the next step")
    func content() {
        /// The words of a page, which can be on several lines.
        func words(_ rollout: Weir_Admin_V1_Rollout) -> String {
            RolloutText.page(rollout, screen: Screen(columns: 80, rows: nil)).text
                .split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        let page = words(Self.rollout())
        for part in [
            "greeter to greeter-v2 observing, step 3 of 5 (10%)",
            "steps shadow:100% > 1% > [10%] > 50% > 100%",
            "12345 of at least 100 at the candidate in this step; about 360,000 more until proof",
            "weights owned by the rollout", "~25,000", "UNTIL PROOF",
        ] {
            #expect(page.contains(part), "\(part)")
        }
        let passed = words(Self.rollout(passed: true))
        #expect(passed.contains("all gates have passed") && passed.contains(" passed evidence"))
        let ended = words(Self.rollout(phase: .succeeded))
        #expect(ended.contains("not owned: the rollout has ended"))
        let other = words(
            Self.rollout(phase: .paused, pause: "other_change", reason: "ada set 0.3"))
        #expect(other.contains("waiting ada set 0.3"))
        #expect(other.contains("weir rollout resume greeter --adopt"))
    }

    @Test(
        "Each reason for waiting has a next step",
        arguments: [
            ("no_traffic", "continues when"), ("no_replica", "continues when"),
            ("approval", "weir rollout advance greeter"),
            ("confirmation", "weir rollout advance greeter"),
            ("inconclusive", "weir rollout advance greeter"),
            ("operator", "weir rollout resume greeter"),
            ("other_change", "weir rollout resume greeter --adopt"),
        ])
    func hints(pause: String, text: String) {
        let hint = RolloutText.nextStep(Self.rollout(phase: .paused, pause: pause))
        #expect(hint?.contains(text) == true)
        #expect(RolloutText.nextStep(Self.rollout(phase: .observing, pause: pause)) == nil)
    }

    @Test("Servers of one name are distinguished by their ids")
    func fleet() {
        let reply = Weir_Admin_V1_ListInstancesResponse(
            instances: [
                .init(id: "0123456789", name: "a"), .init(id: "9876543210", name: "a"),
                .init(id: "5555555555", name: "b"),
            ], store: "etcd:http://127.0.0.1:2379")
        let page = FleetCommand.page(reply).text
        #expect(page.contains("a#456789") && page.contains("a#543210"))
        #expect(!page.contains("b#") && page.contains("2 servers have the name 'a'"))
    }

    @Test("An interval that narrows has a shorter bar", arguments: [15, 25, 33])
    func bar(width: Int) {
        let bars = [(0.06, 16.0), (0.25, 4), (0.5, 2), (0.9, 1.1)].map {
            RolloutText.bar(.init(lower: $0, estimate: 1, upper: $1), width: width)
        }
        let lengths = bars.map { $0.count { "=o".contains($0) } }
        #expect(lengths == lengths.sorted(by: >) && Set(lengths).count == 4)
        #expect(bars.allSatisfy { $0.count == width && $0.contains("o") })
        #expect(RolloutText.bar(.init(lower: .nan, upper: .nan), width: width).count == width)
        #expect(RolloutText.bar(.init(lower: 1, upper: 1), width: 0) == "")
    }

    @Test(
        "The requests until proof follow from the growth of the evidence, to two digits",
        arguments: [
            (1_000, 1.5, 3, 1_000), (1_000, 3, 3, 0), (1_000, 4, 3, 0), (1_000, 0.7, 3, 3_300),
            (0, 1, 3, nil), (1_000, 0, 3, nil), (1_000, -1, 3, nil), (1_000, nil, 3, nil),
            (1_000, .nan, 3, nil), (1_000, .infinity, 3, 0), (1_000, 1, .infinity, nil),
            (.max, 0.02, 1e300, nil), (7, 2, 3, 4),
        ] as [(UInt64, Double?, Double, UInt64?)])
    func untilProof(requests: UInt64, evidence: Double?, threshold: Double, rest: UInt64?) {
        let gate = Weir_Admin_V1_RolloutGate(gate: "g", requests: requests, logPass: evidence)
        #expect(RolloutText.untilProof(gate, threshold: threshold) == rest)
    }

    @Test(
        "A rollout that waits names what continues it",
        arguments: [
            (.pending, nil, "'weir rollout advance greeter' starts without the webhook"),
            (.observing, .init(author: "ann", reason: "x"), "'weir freeze off' ends the freeze"),
            (
                .observing, .init(author: "ann", reason: "x", until: .init(seconds: 1_800_000_000)),
                "when the freeze ends, at 2027-01-15"
            ), (.observing, nil, nil), (.aborted, nil, nil),
        ] as [(Weir_Admin_V1_RolloutPhase, Weir_Admin_V1_Freeze?, String?)])
    func next(phase: Weir_Admin_V1_RolloutPhase, freeze: Weir_Admin_V1_Freeze?, text: String?) {
        var rollout = Self.rollout(phase: phase)
        rollout.freeze = freeze
        let next = RolloutText.nextStep(rollout)
        #expect((next == nil) == (text == nil))
        #expect(next?.contains(text ?? "") ?? true)
        // Only a freeze without an end needs an operator.
        #expect(
            RolloutText.waitsForOperator(rollout)
                == (phase == .aborted || freeze != nil && freeze?.until == nil))
    }

    @Test("A page has the revision of the start, and the position the problem of a webhook")
    func started() {
        var rollout = Self.rollout()
        rollout.author = "ann"
        (rollout.revision, rollout.startedRevision) = (4_711, 7)
        rollout.webhookProblem = "status 503"
        let page = RolloutText.page(rollout).text
        #expect(page.contains("by ann, revision 7") && !page.contains("4711"))
        #expect(page.contains("webhook   status 503"))
        #expect(RolloutText.position(rollout).hasSuffix("; webhook: status 503"))
        rollout.startedRevision = 0
        #expect(!RolloutText.page(rollout).text.contains("revision"))
    }

    @Test("Lists of changes, endpoints and weights fit the terminal", arguments: widths)
    func lists(columns: Int) {
        let long = String(repeating: "recommendation-", count: 5)
        let revision = Weir_Admin_V1_Revision(
            revision: 123, time: .init(seconds: 1_800_000_000), author: "rollout/\(long)",
            comment: "gate failed: \(long)", summary: "\(long): v1=0.9 v2=0.1, rollout to v2")
        let weights = (1...3).map {
            Weir_Admin_V1_BackendWeight(backend: "\(long)v\($0)", weight: 1.0 / 3)
        }
        let endpoint = Weir_Admin_V1_Endpoint(
            name: long, route: "/shop.\(long)/", weights: weights,
            shadows: [.init(backend: "\(long)v4", proportion: 0.05)],
            rateLimit: .init(requestsPerSecond: 1_000, burst: 100),
            timeBox: .init(
                reverts: .init(seconds: 1_800_000_000), confirmable: true, before: weights,
                author: long))
        let screen = Screen(columns: columns, rows: nil)
        for page in [
            HistoryCommand.table([revision], columns: columns),
            EndpointCommand.table([endpoint], columns: columns),
            TrafficCommand.table(endpoint, screen: screen),
            RolloutText.table([Self.rollout(reason: long + long)], columns: columns),
        ] {
            // A heading of a page is not shortened.
            let limit = page.text.hasPrefix(long) ? max(columns, long.count + 7) : columns
            #expect(Self.widest(page) <= limit, "\(page.text)")
        }
        let lines = TrafficCommand.table(endpoint, screen: screen).text
            .split(separator: "\n" as Character)
        let route = "/shop.\(long)/".count
        #expect(lines.dropFirst().allSatisfy { $0.count <= max(columns, route) })
        // A file has whole names.
        #expect(HistoryCommand.table([revision]).text.contains("rollout/\(long)"))
        #expect(EndpointCommand.table([endpoint]).text.contains("\(long)v3="))
    }
}
