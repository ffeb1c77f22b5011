internal import Testing

@testable internal import Rollouts

@Suite("The plan of a rollout")
struct RolloutPlanTests {
    private static func error(_ body: () throws(PlanError) -> RolloutPlan) -> PlanError? {
        do throws(PlanError) {
            _ = try body()
            return nil
        } catch {
            return error
        }
    }

    @Test("has steps, gates and weights")
    func reads() throws {
        let plan = try plan(
            ["shadow:100%", "1%", "10%"], gates: ["errors<1.5x", "p99.9<1.2x", "shadow-diff<0.1%"])
        #expect(plan.steps == [.shadow(1), .weight(0.01), .weight(0.1), .weight(1)])
        #expect(plan.gates.map(\.measure) == [.errors, .latency(0.999), .shadowDifferences])
        #expect(plan.gates.map(\.limit) == [.ratio(1.5), .ratio(1.2), .share(0.001)])
        #expect(plan.text(ofStep: 0) == "shadow:100%" && plan.text(ofStep: 1) == "1%")
        #expect(plan.shadow(ofStep: 0) == 1 && plan.weight(ofStep: 0) == 0)
        #expect(plan.weight(ofStep: 3) == 1 && plan.weight(ofStep: 9) == 0)
        #expect(plan.text(ofStep: -1) == "" && plan.shadow(ofStep: 1) == 0)
    }

    @Test("never has more than all minus the holdout at the candidate")
    func holdout() throws {
        #expect(try plan(holdout: 0.05).weight(ofStep: 3) == 0.95)
    }

    @Test(
        "rejects invalid steps and names them",
        arguments: [
            ([], "steps"), (["0%"], "steps[0]"), (["10%", "10%"], "steps[1]"),
            (["10%", "5%"], "steps[1]"), (["101%"], "steps[0]"), (["-1%"], "steps[0]"),
            (["nan%"], "steps[0]"), (["inf%"], "steps[0]"), (["1e300%"], "steps[0]"),
            (["0x10%"], "steps[0]"), (["10"], "steps[0]"), ([""], "steps[0]"),
            (["10%", "shadow:100%"], "steps[1]"), (["shadow:0%"], "steps[0]"),
            (["shadow:"], "steps[0]"), (["\u{0}%"], "steps[0]"),
            ([String(repeating: "9", count: 10_000) + "%"], "steps[0]"),
            (Array(repeating: "shadow:1%", count: 33), "steps"),
        ] as [([String], String)])
    func rejectsSteps(steps: [String], field: String) throws {
        let error = try #require(
            Self.error { () throws(PlanError) in try plan(steps) })
        #expect(error.field == field)
        #expect(error.problem.utf8.count < 300 && !error.problem.contains("\u{0}"))
    }

    @Test(
        "rejects invalid gates and names them",
        arguments: [
            "", "errors", "errors<", "errors<x", "errors<0.5x", "errors<101x", "errors<0%",
            "errors<100%", "errors<nanx", "errors<1e300x", "errors>1x", "p<1x", "p49<1x",
            "p100<1x", "p99<5%", "codes<5%", "shadow-diff<2x", "latency<2x", "errors<-1x",
            "errors<1.5x ", String(repeating: "e", count: 10_000),
        ])
    func rejectsGates(gate: String) throws {
        let error = try #require(
            Self.error { () throws(PlanError) in try plan(gates: ["errors<2x", gate]) })
        #expect(error.field == "gates[1]")
        #expect(error.problem.contains("use") && error.problem.utf8.count < 300)
    }

    @Test("rejects gates that are given twice, too many, or without their step")
    func rejectsCombinations() {
        #expect(
            Self.error { () throws(PlanError) in try plan(gates: ["errors<2x", "errors<2.0x"]) }?
                .field == "gates[1]")
        let many = (0..<17).map { "errors<1.\($0 + 10)x" }
        #expect(Self.error { () throws(PlanError) in try plan(gates: many) }?.field == "gates")
        #expect(
            Self.error { () throws(PlanError) in try plan(["10%"], gates: ["shadow-diff<1%"]) }?
                .problem.contains("shadow:100%") == true)
        for holdout in [-0.1, 0.51, .nan, .infinity] {
            #expect(
                Self.error { () throws(PlanError) in try plan(holdout: holdout) }?.field
                    == "holdout")
        }
    }

    @Test("rejects durations, levels and minima outside their ranges")
    func rejectsValues() {
        let changes: [(String, (inout RolloutPlan) -> Void)] = [
            ("bake", { $0.bake = .zero }), ("bake", { $0.bake = .seconds(-1) }),
            ("bake", { $0.bake = .seconds(Int64.max) }),
            ("minimum", { $0.minimum = .zero }), ("minimum", { $0.minimum = .seconds(51) }),
            ("maximum", { $0.maximum = RolloutPlan.longest + .milliseconds(1) }),
            ("alpha", { $0.alpha = .nan }), ("alpha", { $0.alpha = 0 }),
            ("alpha", { $0.alpha = 0.51 }), ("minimum_requests", { $0.minimumRequests = .max }),
        ]
        for (field, change) in changes {
            let error = Self.error { () throws(PlanError) in try plan(gates: [], change) }
            #expect(error?.field == field)
        }
    }

    @Test(
        "reads ramps",
        arguments: [
            ("", 0), ("immediate", 0), ("ramp:0%/1m", 1), ("ramp:50%,10%,0%/90s", 3),
        ])
    func reads(ramp: String, count: Int) throws {
        #expect(try RolloutPlan.abortRamp(ramp, field: "abort").count == count)
    }

    @Test(
        "rejects ramps",
        arguments: [
            "ramp", "ramp:", "ramp:0%", "ramp:0%/", "ramp:0%/0s", "ramp:0%/1e9h", "ramp:10%/1m",
            "ramp:10%,20%,0%/1m", "ramp:100%,0%/1m", "ramp:,0%/1m", "ramp:0%/nan", "ramp:0%/8d",
            "ramp:0%,0%/1m",
        ])
    func rejects(ramp: String) throws {
        #expect(throws: PlanError.self) { try RolloutPlan.abortRamp(ramp, field: "abort") }
    }

    @Test(
        "has durations with a unit",
        arguments: [
            ("1ms", .milliseconds(1)), ("1.5s", .milliseconds(1_500)), ("10m", .seconds(600)),
            ("2h", .seconds(7_200)), ("7d", .seconds(604_800)), ("0s", nil), ("8d", nil),
            ("1", nil), ("s", nil), ("-1s", nil), ("1e5s", nil), ("infs", nil),
            ("99999999999999999999999999d", nil),
        ] as [(String, Duration?)])
    func durations(text: String, expected: Duration?) {
        #expect(PlanText.duration(text) == expected)
    }
}

@Suite("The preview of a rollout")
struct RolloutPreviewTests {
    @Test(
        "estimates the requests to proof as simulations do",
        arguments: [(2.0, 0.01, 1_190.0), (3, 0.001, 4_510), (2, 0.002, 6_000)])
    func requests(ratio: Double, errors: Double, expected: Double) throws {
        let estimate = try #require(
            RolloutPreview.requestsToProof(
                ratio: ratio, weight: 0.1, errorShare: errors, alpha: 0.05))
        #expect(estimate > expected * 0.8 && estimate < expected * 1.25)
    }

    @Test("has no estimate where proof is impossible")
    func impossible() {
        for (ratio, weight, errors) in [
            (1, 0.1, 0.01), (2, 0, 0.01), (2, 1, 0.01), (2, 0.1, 0), (2, 0.1, .nan),
            (.nan, 0.1, 0.01), (2, .nan, 0.01), (1e300, 0.1, .leastNonzeroMagnitude),
        ] as [(Double, Double, Double)] {
            let estimate = RolloutPreview.requestsToProof(
                ratio: ratio, weight: weight, errorShare: errors, alpha: 0.05)
            #expect(estimate.map { $0.isFinite } ?? true, "\(ratio) \(weight) \(errors)")
        }
    }
}
