internal import ArgumentParser
internal import Foundation
internal import Messages
internal import Weir

/// `weir freeze`
struct FreezeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "freeze", abstract: "Rejects changes for a time, except rollbacks and aborts.",
        discussion: """
            Examples:
              weir freeze on --reason 'holidays' --until 12h
              weir freeze off
            """,
        subcommands: [Show.self, On.self, Off.self], defaultSubcommand: Show.self)

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows whether changes are frozen, by whom and why.",
            discussion: """
                Example:
                  weir freeze show
                """)

        @OptionGroup var options: AdminOptions

        func run() async throws {
            let reply = try await options.call { try await $0.getFreeze(.init(), $1) }
            try options.show(reply) { FreezeCommand.text($0.freeze) }
        }
    }

    struct On: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Begins a freeze.",
            discussion: """
                Until it ends, the server rejects changes, except rollbacks, pauses and aborts of \
                rollouts, 'weir traffic confirm' and 'weir freeze'. Rollouts do not advance. \
                'weir traffic set' has --override-freeze.

                Examples:
                  weir freeze on --reason 'release day'
                  weir freeze on --reason 'holidays' --until 12h
                """)

        @Option(help: "Why changes are frozen; each rejected change shows it.")
        var reason: String

        @Option(
            help: ArgumentHelp(
                "When the freeze ends: a time, for example 2026-12-24T08:00:00Z, or a duration, "
                    + "for example 12h (default: with 'weir freeze off').", valueName: "time"),
            transform: FreezeCommand.time)
        var until: Google_Protobuf_Timestamp?

        @OptionGroup(title: "Change") var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await options.setFreeze(
                .init(
                    frozen: true, reason: reason, until: until,
                    expectedRevision: change.expectedRevision, validateOnly: change.dryRun,
                    note: change.note))
        }
    }

    struct Off: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ends the freeze.",
            discussion: """
                Example:
                  weir freeze off --comment 'the release is done'
                """)

        @OptionGroup(title: "Change") var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await options.setFreeze(
                .init(
                    frozen: false, expectedRevision: change.expectedRevision,
                    validateOnly: change.dryRun, note: change.note))
        }
    }

    /// A time, or a duration from now.
    @Sendable static func time(_ text: String) throws -> Google_Protobuf_Timestamp {
        if let duration = try? Bounded.duration(text) {
            let end = Date().timeIntervalSince1970.rounded(.down) + Double(duration.seconds)
            // The server checks the range.
            return Google_Protobuf_Timestamp(seconds: Int64(exactly: end) ?? .max)
        }
        // Foundation reads 31 April as 1 May.
        guard let time = Google_Protobuf_Timestamp(text: text) else {
            throw ValidationError("use a time as 2026-12-24T08:00:00Z, or a duration as 12h")
        }
        return time
    }

    static func text(_ freeze: Weir_Admin_V1_Freeze?) -> TerminalText {
        guard let freeze else { return "changes are accepted" }
        let end: TerminalText =
            freeze.until == nil ? "until 'weir freeze off'" : "until \(Style.time(freeze.until))"
        return Style.yellow("changes are frozen by \(freeze.author) ") + end
            + ", since \(Style.time(freeze.since)): \(freeze.reason)"
    }

    /// The same as a line after other output; empty without a freeze.
    static func line(_ freeze: Weir_Admin_V1_Freeze?) -> TerminalText {
        freeze == nil ? "" : "\n" + text(freeze)
    }
}

extension AdminOptions {
    fileprivate func setFreeze(_ request: Weir_Admin_V1_SetFreezeRequest) async throws {
        let reply = try await call { try await $0.setFreeze(request, $1) }
        try show(reply) {
            FreezeCommand.text($0.freeze)
                + (request.validateOnly
                    ? " (nothing has changed)" : " (revision \($0.revision))")
        }
    }
}
