internal import ArgumentParser
internal import Messages
internal import Weir

/// `weir history`
struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Lists the latest changes: time, author, change and comment.",
        discussion: """
            Examples:
              weir history --limit 5
              weir history --before 12 --json
            """)

    @Option(
        help: "The maximum number of changes, 0 to 4294967295; 0 for the server's default.",
        transform: Bounded.whole(0...UInt32.max))
    var limit: UInt32 = 20

    @Option(
        help: "List changes before this revision only.", transform: Bounded.whole(0...UInt64.max))
    var before: UInt64?

    @OptionGroup var options: AdminOptions

    func run() async throws {
        let reply = try await options.call {
            try await $0.listRevisions(
                .init(beforeRevision: before ?? 0, limit: limit), $1)
        }
        try options.show(reply) { Self.table($0.revisions, columns: Screen.current.columns) }
    }

    /// Revisions with their authors and changes.
    ///
    /// - Parameter limit: the columns of the terminal; nil for any number.
    static func table(
        _ revisions: [Weir_Admin_V1_Revision], columns limit: Int? = nil
    ) -> TerminalText {
        var table = Table([
            .init(title: "REVISION", alignment: .right), .init(title: "TIME", drop: 1),
            .init(title: "AUTHOR", isName: true), .init(title: "CHANGE", isName: true),
            .init(title: "COMMENT", isName: true),
        ])
        for revision in revisions {
            table.add([
                "\(revision.revision)", Style.time(revision.time), revision.author,
                revision.summary, revision.comment,
            ])
        }
        return table.text(columns: limit)
    }
}

/// `weir diff`
struct DiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Shows the differences between two revisions.",
        discussion: """
            Examples:
              weir diff 11 12
              weir diff 11
            """)

    @Argument(help: "The first revision.", transform: Bounded.whole(0...UInt64.max))
    var from: UInt64

    @Argument(
        help: "The second revision (default: the current one).",
        transform: Bounded.whole(0...UInt64.max))
    var to: UInt64?

    @OptionGroup var options: AdminOptions

    func run() async throws {
        let reply = try await options.call {
            try await $0.compareRevisions(
                .init(fromRevision: from, toRevision: to ?? 0), $1)
        }
        try options.show(reply) { reply in
            let span = "revision \(reply.fromRevision) to \(reply.toRevision)"
            guard !reply.changes.isEmpty else { return "\(span): no difference" }
            let counts = PlanText.counts(reply.changes, ["added", "changed", "removed"])
            return PlanText.text(reply.changes) + "\n" + Style.bold("\(span): \(counts)")
        }
    }
}

/// `weir rollback`
struct RollbackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Restores the endpoints of a revision.",
        discussion: """
            The command restores routes, weights, shadows and affinity maps exactly, as a new \
            revision, so each shard key returns to its backend of that time. It does not change \
            backends. It fails if a backend of that revision no longer exists.

            Examples:
              weir rollback 11 --dry-run
              weir rollback 11 --endpoint greeter
            """)

    @Argument(
        help: "The revision to restore; see 'weir history'.",
        transform: Bounded.whole(1...UInt64.max))
    var revision: UInt64

    @Option(help: "Restore only this endpoint.", completion: Completion.endpoints)
    var endpoint = ""

    @OptionGroup(title: "Change") var change: ChangeOptions
    @OptionGroup var options: AdminOptions

    func run() async throws {
        let reply = try await options.call {
            try await $0.rollback(
                .init(
                    revision: revision, endpoint: endpoint,
                    expectedRevision: change.expectedRevision,
                    validateOnly: change.dryRun, note: change.note), $1)
        }
        for warning in reply.warnings { printError("warning: \(warning)") }
        try options.show(reply) {
            PlanText.page($0.changes, dryRun: change.dryRun, revision: $0.revision)
        }
    }
}
