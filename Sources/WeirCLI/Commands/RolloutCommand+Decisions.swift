internal import ArgumentParser
internal import Messages
internal import Weir

// The commands that decide about a running rollout.

extension RolloutCommand {
    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stops all automatic changes of a rollout. The weights stay.")

        @Argument(help: "The name of the endpoint.")
        var endpoint: String

        @OptionGroup var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await options.decide(change) {
                try await $0.pauseRollout(
                    .init(
                        endpoint: endpoint, expectedRevision: change.expectedRevision,
                        validateOnly: change.dryRun, note: change.note), $1)
            }
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Continues a paused rollout.",
            discussion: """
                After another actor has changed the weights, --adopt continues from those weights, \
                and --restore sets the weights of the step again.
                """)

        @Argument(help: "The name of the endpoint.")
        var endpoint: String

        @Flag(help: "Continue from the weights that another actor has set.")
        var adopt = false

        @Flag(help: "Set the weights of the step again.")
        var restore = false

        @OptionGroup var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await options.decide(change) {
                try await $0.resumeRollout(
                    .init(
                        endpoint: endpoint, expectedRevision: change.expectedRevision,
                        validateOnly: change.dryRun, note: change.note, adopt: adopt,
                        restore: restore), $1)
            }
        }
    }

    struct Advance: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Approves a complete step, or skips one; ends the bake.")

        @Argument(help: "The name of the endpoint.")
        var endpoint: String

        @OptionGroup var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await options.decide(change) {
                try await $0.advanceRollout(
                    .init(
                        endpoint: endpoint, expectedRevision: change.expectedRevision,
                        validateOnly: change.dryRun, note: change.note), $1)
            }
        }
    }

    struct Promote: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Routes all requests to the candidate at once.")

        @Argument(help: "The name of the endpoint.")
        var endpoint: String

        @OptionGroup var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await options.decide(change) {
                try await $0.promoteRollout(
                    .init(
                        endpoint: endpoint, expectedRevision: change.expectedRevision,
                        validateOnly: change.dryRun, note: change.note), $1)
            }
        }
    }

    struct Abort: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Returns to the weights before the rollout.")

        @Argument(help: "The name of the endpoint.")
        var endpoint: String

        @Flag(help: "Skip the ramp of the plan.")
        var immediate = false

        @OptionGroup var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await options.decide(change) {
                try await $0.abortRollout(
                    .init(
                        endpoint: endpoint, expectedRevision: change.expectedRevision,
                        validateOnly: change.dryRun, note: change.note, immediate: immediate), $1)
            }
        }
    }
}

extension AdminOptions {
    /// Makes a decision, and shows the rollout.
    fileprivate func decide(
        _ change: ChangeOptions, _ decision: Call<Weir_Admin_V1_Rollout>
    ) async throws {
        let reply = try await call(decision)
        try show(reply) {
            RolloutText.page($0)
                + (change.dryRun ? Style.dim("\n(nothing has changed)") : "")
        }
    }
}
