internal import ArgumentParser
internal import Foundation
internal import Messages
internal import Weir

/// `weir rollout`
struct RolloutCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollout",
        abstract:
            "Moves an endpoint's requests to a backend step by step, and reverts if it fails.",
        discussion: """
            Each step routes a share of the requests to the candidate. Gates compare its results \
            with those of the other backends. The rate of false alarms of the whole rollout is \
            bounded, however long it runs. Exit codes with --wait: 0 the rollout succeeded, 2 it \
            was aborted or waits for an operator.
            """,
        subcommands: [
            Start.self, Status.self, List.self, Pause.self, Resume.self, Advance.self,
            Promote.self, Abort.self, History.self,
        ])

    struct Start: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Starts a rollout.",
            discussion: """
                Steps are shares of the requests, for example 1%,10%,50%,100%. The step \
                shadow:100% copies requests to the candidate and returns none of its responses. \
                Gates: errors<1.5x and p99<1.2x compare with the other backends; errors<0.5% and \
                shadow-diff<0.1% are absolute; codes<2x compares statuses such as NOT_FOUND.
                """)

        @Argument(help: "The name of the endpoint.")
        var endpoint: String

        @OptionGroup var plan: RolloutPlanOptions

        @Flag(help: "Wait until the rollout ends or waits for an operator.")
        var wait = false

        @OptionGroup var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_StartRolloutRequest(
                endpoint: endpoint, plan: try plan.message,
                expectedRevision: change.expectedRevision, validateOnly: change.dryRun,
                note: change.note)
            let reply = try await options.call { try await $0.startRollout(request, $1) }
            try options.show(reply) { RolloutText.plan($0, dryRun: change.dryRun) }
            if wait, !change.dryRun { try await options.waitForRollout(of: endpoint) }
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows a rollout and its evidence.")

        @Argument(help: "The name of the endpoint.")
        var endpoint: String

        @Flag(help: "Repeat the output until the rollout ends, or until Ctrl-C.")
        var watch = false

        @Flag(help: "Wait until the rollout ends or waits for an operator.")
        var wait = false

        @OptionGroup var options: AdminOptions

        func run() async throws {
            if wait { return try await options.waitForRollout(of: endpoint) }
            guard watch else {
                let request = Weir_Admin_V1_GetRolloutRequest(endpoint: endpoint)
                let reply = try await options.call { try await $0.getRollout(request, $1) }
                return try options.show(reply) { RolloutText.page($0) }
            }
            Output.exitWhenUnread()
            try await options.watchRollout(of: endpoint) { rollout in
                try options.json
                    ? Output.print(json: AdminOptions.json(rollout, indent: 0))
                    : Style.draw(RolloutText.page(rollout), again: 1)
                return true
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the latest rollout of each endpoint.")

        @OptionGroup var options: AdminOptions

        func run() async throws {
            let reply = try await options.call { try await $0.listRollouts(.init(), $1) }
            try options.show(reply) { RolloutText.table($0.rollouts) }
        }
    }

    struct History: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the latest decisions of an endpoint's rollouts.")

        @Argument(help: "The name of the endpoint.")
        var endpoint: String

        @OptionGroup var options: AdminOptions

        func run() async throws {
            var reply = try await options.call {
                try await $0.listRevisions(.init(limit: 1_000), $1)
            }
            reply.revisions = reply.revisions.filter { revision in
                revision.author == "rollout/\(endpoint)"
                    || revision.summary.hasPrefix("\(endpoint): ")
                        && revision.summary.contains("rollout to ")
            }
            try options.show(reply) { HistoryCommand.table($0.revisions) }
        }
    }
}

/// The parts of a plan.
struct RolloutPlanOptions: ParsableArguments {
    @Option(
        name: [.customShort("f"), .long],
        help: ArgumentHelp(
            "A YAML or JSON file with the plan; '-' for standard input. Other options replace its "
                + "fields.", valueName: "file"))
    var file: String?

    @Option(
        help: ArgumentHelp("The backend that shall receive the requests.", valueName: "backend"))
    var to: String?

    @Option(
        help: ArgumentHelp(
            "The steps, for example shadow:100%,1%,10% (default: 1%,10%,50%,100%).",
            valueName: "list"))
    var steps: String?

    @Option(
        name: .customLong("gate"),
        help: ArgumentHelp(
            "A condition for the candidate, for example errors<1.5x. Give one option for each.",
            valueName: "gate"))
    var gates: [String] = []

    @Option(
        help: "The time at the last step before the rollout succeeds (default: 10m).",
        transform: RolloutPlanOptions.duration)
    var bake: Google_Protobuf_Duration?

    @Option(
        help: "The least time of a step (default: 1m).", transform: RolloutPlanOptions.duration)
    var minimum: Google_Protobuf_Duration?

    @Option(
        help: "The most time of a step without a decision (default: 1h).",
        transform: RolloutPlanOptions.duration)
    var maximum: Google_Protobuf_Duration?

    @Option(
        help: "The fewest requests at the candidate in a step (default: 100).",
        transform: Bounded.whole(0...1_000_000_000))
    var minimumRequests: UInt64?

    @Option(
        help: ArgumentHelp(
            "When a step is complete: no_objection or proof (default: no_objection).",
            valueName: "rule"))
    var require: String?

    @Option(
        help: ArgumentHelp(
            "What happens at the maximum: pause, advance or abort (default: pause).",
            valueName: "action"))
    var onInconclusive: String?

    @Option(
        help: ArgumentHelp(
            "How to revert: immediate, or for example ramp:50%,10%,0%/1m (default: immediate).",
            valueName: "ramp"))
    var abort: String?

    @Option(
        help: ArgumentHelp(
            "The share of requests, up to 50%, that moves only when the rollout succeeds.",
            valueName: "share"))
    var holdout: String?

    @Flag(help: "Wait for 'weir rollout advance' after each step.")
    var approval = false

    @Option(
        name: .customLong("webhook"),
        help: ArgumentHelp(
            "Hooks and the URL to call, for example confirm-step,event=https://hooks.example.com. "
                + "Hooks: confirm-start, confirm-step, confirm-promotion, rollback, event. May be "
                + "repeated.",
            valueName: "hooks=url"),
        transform: RolloutPlanOptions.webhook)
    var webhooks: [Weir_Admin_V1_RolloutWebhook] = []

    @Sendable static func webhook(_ text: String) throws -> Weir_Admin_V1_RolloutWebhook {
        let hooks: [String: Weir_Admin_V1_RolloutHook] = [
            "confirm-start": .confirmStart, "confirm-step": .confirmStep,
            "confirm-promotion": .confirmPromotion, "rollback": .rollback, "event": .event,
        ]
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        let names =
            parts.first?.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            ?? []
        let values = names.compactMap { hooks[$0] }
        guard parts.count == 2, !names.isEmpty, values.count == names.count else {
            throw ValidationError(
                "use HOOK,HOOK=URL with hooks of \(hooks.keys.sorted().joined(separator: ", "))")
        }
        return Weir_Admin_V1_RolloutWebhook(url: parts[1], on: values)
    }

    @Option(
        help: "The probability that a good candidate is aborted, 0.0001 to 0.5 (default: 0.05).",
        transform: Bounded.decimal(0.0001...0.5))
    var alpha: Double?

    /// `90s`, `10m`, `1h`, `500ms`. The server checks the range.
    @Sendable static func duration(_ text: String) throws -> Google_Protobuf_Duration {
        let units = [("ms", 0.001), ("s", 1.0), ("m", 60), ("h", 3_600), ("d", 86_400)]
        for (suffix, seconds) in units where text.hasSuffix(suffix) {
            guard
                let number = try? Bounded.finite(text.dropLast(suffix.count), "a number"),
                number >= 0
            else { continue }
            return Google_Protobuf_Duration(seconds: number * seconds)
        }
        throw ValidationError("use a number with a unit, for example 500ms, 90s, 10m or 1h")
    }

    private static let requirements: [String: Weir_Admin_V1_RolloutRequirement] = [
        "no_objection": .noObjection, "proof": .proof,
    ]
    private static let actions: [String: Weir_Admin_V1_RolloutInconclusive] = [
        "pause": .pause, "advance": .advance, "abort": .abort,
    ]

    /// The plan of the file with the given options.
    var message: Weir_Admin_V1_RolloutPlan {
        get throws {
            var plan: Weir_Admin_V1_RolloutPlan =
                try file.map { try YAMLFile($0).message() } ?? .init()
            if let to { plan.candidate = to }
            guard !plan.candidate.isEmpty else {
                throw ValidationError("name the candidate with --to, or in a file with -f")
            }
            if let steps {
                plan.steps = steps.split(separator: ",", omittingEmptySubsequences: false)
                    .map(String.init)
            }
            if plan.steps.isEmpty { plan.steps = ["1%", "10%", "50%", "100%"] }
            if !gates.isEmpty { plan.gates = gates }
            if let bake { plan.bake = bake }
            if let minimum { plan.minimum = minimum }
            if let maximum { plan.maximum = maximum }
            if let minimumRequests { plan.minimumRequests = minimumRequests }
            if let require {
                guard let rule = Self.requirements[require] else {
                    throw ValidationError("--require: use no_objection or proof")
                }
                plan.require = rule
            }
            if let onInconclusive {
                guard let action = Self.actions[onInconclusive] else {
                    throw ValidationError("--on-inconclusive: use pause, advance or abort")
                }
                plan.onInconclusive = action
            }
            if let abort { plan.abort = abort }
            if let holdout {
                guard holdout.hasSuffix("%") else {
                    throw ValidationError("--holdout: use a share, for example 5%")
                }
                plan.holdout = try Bounded.finite(holdout.dropLast(), "0% to 50%") / 100
            }
            if approval { plan.approval = true }
            if !webhooks.isEmpty { plan.webhooks = webhooks }
            if let alpha { plan.alpha = alpha }
            return plan
        }
    }
}

extension AdminOptions {
    /// Calls the body for each state of a rollout, until it returns false or the rollout ends.
    func watchRollout(
        of endpoint: String, _ body: (Weir_Admin_V1_Rollout) async throws -> Bool
    ) async throws {
        struct Enough: Error {}
        try await reporting {
            let client = try client
            do {
                try await Weir_Admin_V1_AdminStub(client).watchRollout(
                    .init(endpoint: endpoint)
                ) { rollout in
                    guard try await body(rollout) else { throw Enough() }
                }
            } catch is Enough {}
            await client.close()
        }
    }

    /// Waits until a rollout ends or waits for an operator, and exits with 2 unless it succeeded.
    func waitForRollout(of endpoint: String) async throws {
        Output.exitWhenUnread()
        var last: Weir_Admin_V1_Rollout?
        var position = ""
        try await watchRollout(of: endpoint) { rollout in
            last = rollout
            let now = RolloutText.position(rollout)
            if now != position, !json { printError("\(now)") }
            position = now
            return !RolloutText.waitsForOperator(rollout)
        }
        guard let last else { return }
        guard RolloutText.waitsForOperator(last) else {
            printError("the server stopped while the rollout ran; run 'weir rollout status' again")
            throw ExitCode(EX_UNAVAILABLE)
        }
        try show(last) { RolloutText.page($0) }
        guard last.phase == .succeeded else { throw ExitCode(2) }
    }
}
