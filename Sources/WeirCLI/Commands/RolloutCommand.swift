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
            bounded, however long it runs.

            Exit codes of --wait: 0 the rollout succeeded; 2 it was aborted, or waits for an \
            operator, also because of a freeze without an end. A rollout that waits for requests, \
            for a replica, for a webhook or for the end of a freeze continues by itself, so --wait \
            waits too.

            Examples:
              weir rollout start greeter --to greeter-v2 --steps 1%,10%,50%,100%
              weir rollout status greeter --watch
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
                shadow-diff<0.1% are absolute; codes<2x compares statuses such as NOT_FOUND. Exit \
                codes of --wait: 0 the rollout succeeded, 2 it was aborted or waits for an operator.

                The file of -f has the names of the options: 'to: greeter-v2', 'steps: [1%]', \
                'gates: [errors<1.5x]', 'bake: 10m'.

                Examples:
                  weir rollout start greeter --to greeter-v2 --dry-run
                  weir rollout start greeter --to greeter-v2 --steps 1%,10%,100% --wait
                  weir rollout start greeter -f rollout.yaml
                """)

        @Argument(help: "The name of the endpoint.", completion: Completion.endpoints)
        var endpoint: String

        @OptionGroup(title: "Plan") var plan: RolloutPlanOptions

        @Flag(help: "Wait until the rollout ends or waits for an operator.")
        var wait = false

        @OptionGroup(title: "Change") var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_StartRolloutRequest(
                endpoint: endpoint, plan: try plan.message,
                expectedRevision: change.expectedRevision, validateOnly: change.dryRun,
                note: change.note)
            let reply = try await options.call { try await $0.startRollout(request, $1) }
            let isWaiting = wait && !change.dryRun
            // The JSON of a command is one document: with --wait, that of the rollout at its end.
            if !isWaiting || !options.json {
                try options.show(reply) {
                    RolloutText.plan($0, dryRun: change.dryRun, screen: .current)
                }
            }
            if isWaiting { try await options.waitForRollout(of: endpoint) }
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows a rollout and its evidence.",
            discussion: """
                --watch and --wait connect again when the server restarts, for up to a minute. \
                Exit codes of --wait: 0 the rollout succeeded, 2 it was aborted or waits for an \
                operator.

                Examples:
                  weir rollout status greeter
                  weir rollout status greeter --watch
                  weir rollout status greeter --wait && echo released
                """)

        @Argument(help: "The name of the endpoint.", completion: Completion.endpoints)
        var endpoint: String

        @Flag(help: "Repeat the output until the rollout ends, or until Ctrl-C.")
        var watch = false

        @Flag(help: "Wait until the rollout ends or waits for an operator.")
        var wait = false

        @OptionGroup var options: AdminOptions

        func run() async throws {
            if wait, !watch { return try await options.waitForRollout(of: endpoint) }
            guard watch else {
                let request = Weir_Admin_V1_GetRolloutRequest(endpoint: endpoint)
                let reply = try await options.call { try await $0.getRollout(request, $1) }
                return try options.show(reply) { RolloutText.page($0, screen: .current) }
            }
            Output.exitWhenUnread()
            let last = try await options.watchRollout(of: endpoint) { rollout in
                try options.json
                    ? Output.print(json: AdminOptions.json(rollout, indent: 0))
                    : Style.draw(
                        RolloutText.page(rollout, screen: .current), again: "every change",
                        footer: RolloutText.footerLines)
                return wait && RolloutText.waitsForOperator(rollout)
            }
            if wait, last.phase != .succeeded { throw ExitCode.no }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the latest rollout of each endpoint.",
            discussion: """
                Example:
                  weir rollout list
                """,
            aliases: ["ls"])

        @OptionGroup var options: AdminOptions

        func run() async throws {
            let reply = try await options.call { try await $0.listRollouts(.init(), $1) }
            try options.show(reply) {
                RolloutText.table($0.rollouts, columns: Screen.current.columns)
            }
        }
    }

    struct History: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the latest decisions of an endpoint's rollouts.",
            discussion: """
                The list contains decisions of the rollout and of operators, also those that 'weir \
                apply' and 'weir rollback' have made. The server searches all revisions that it \
                keeps, from the latest one.

                Examples:
                  weir rollout history greeter
                  weir rollout history greeter --limit 100 --json
                """)

        @Argument(help: "The name of the endpoint.", completion: Completion.endpoints)
        var endpoint: String

        @Option(
            help: "The maximum number of decisions, 1 to 100000 (default: 50).",
            transform: Bounded.whole(1...100_000))
        var limit = 50

        @OptionGroup var options: AdminOptions

        /// The number of revisions in a response.
        private static let pageSize: UInt32 = 1_000

        func run() async throws {
            var found = Weir_Admin_V1_ListRevisionsResponse()
            var before: UInt64 = 0
            while found.revisions.count < limit {
                let reply = try await options.call {
                    try await $0.listRevisions(
                        .init(
                            beforeRevision: before, limit: Self.pageSize, rolloutsOf: endpoint), $1)
                }
                found.revisions += reply.revisions
                // Revisions are listed from the latest.
                guard let oldest = reply.revisions.last?.revision, oldest > 1,
                    oldest != before
                else { break }
                before = oldest
            }
            found.revisions = Array(found.revisions.prefix(limit))
            try options.show(found) {
                HistoryCommand.table($0.revisions, columns: Screen.current.columns)
            }
        }
    }
}

extension AdminOptions {
    /// Calls the body for each state of a rollout, until it returns true or the rollout ends.
    ///
    /// - Returns: the latest state.
    fileprivate func watchRollout(
        of endpoint: String, _ body: (Weir_Admin_V1_Rollout) async throws -> Bool
    ) async throws -> Weir_Admin_V1_Rollout {
        struct Enough: Error {}
        var last = Weir_Admin_V1_Rollout()
        try await following { client, received in
            do {
                try await Weir_Admin_V1_AdminStub(client).watchRollout(
                    .init(endpoint: endpoint)
                ) { rollout in
                    received()
                    last = rollout
                    if try await body(rollout) { throw Enough() }
                }
                return RolloutText.isEnded(last)
            } catch is Enough {
                return true
            }
        }
        return last
    }

    /// Waits until a rollout ends or waits for an operator, and exits with 2 unless it succeeded.
    fileprivate func waitForRollout(of endpoint: String) async throws {
        Output.exitWhenUnread()
        var position = ""
        let last = try await watchRollout(of: endpoint) { rollout in
            let now = RolloutText.position(rollout)
            if now != position, !json { printError("\(now)") }
            position = now
            return RolloutText.waitsForOperator(rollout)
        }
        try show(last) { RolloutText.page($0, screen: .current) }
        guard last.phase == .succeeded else { throw ExitCode.no }
    }
}
