internal import ArgumentParser
internal import ControlPlane
internal import Foundation
internal import GRPCWire
internal import Messages
internal import StateStores
internal import Weir

/// `weir state`
struct StateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "state", abstract: "Checks, saves, moves and replaces a stored state.",
        discussion: """
            'adopt' and 'restore' send a request to a server whose store contains another history. \
            The other commands open the store itself: stop a server that uses an SQLite store \
            first, except for a backup. Exit code 1 means that the stored state is damaged, or \
            that revisions are missing.

            Examples:
              weir state check
              weir state backup /backup/weir.db
            """,
        subcommands: [
            Check.self, Export.self, Import.self, Backup.self, Adopt.self, Restore.self,
        ])

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reads the whole store, and reports damage.",
            discussion: """
                Examples:
                  weir state check
                  weir state check --store sqlite:/var/lib/weir/weir.db
                """)

        @OptionGroup var options: StoreOptions

        func run() async throws {
            try await StateCommand.using(options) { store in
                let archive = try await StateArchive(reading: store)
                try Output.print("\(archive.summary(store.place))")
                if let damage = archive.damage {
                    printError("\(damage)")
                    printError(
                        "save the intact part with 'weir state export', and write it to a new "
                            + "store with 'weir state import'")
                    throw ExitCode.failure
                }
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints the history and the affinity maps as JSON, bit for bit.",
            discussion: """
                For a damaged store, it prints the intact part and exits with 1.

                Example:
                  weir state export > history.json
                """)

        @OptionGroup var options: StoreOptions

        func run() async throws {
            try await StateCommand.using(options) { store in
                let archive = try await StateArchive(reading: store)
                try Output.print(json: AdminOptions.json(archive.message))
                if let damage = archive.damage {
                    printError("only revisions up to \(archive.latest) are intact: \(damage)")
                    throw ExitCode.failure
                }
            }
        }
    }

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes the output of 'weir state export' to an empty store.",
            discussion: """
                Example:
                  weir state import history.json --state-dir /var/lib/weir
                """)

        @Argument(help: "The file; '-' for standard input.")
        var file: String

        @Flag(help: "Create an empty store if the previous one is missing.")
        var acceptLostRevisions = false

        @OptionGroup var options: StoreOptions

        func run() async throws {
            let archive = try StateArchive(try message())
            try await StateCommand.using(
                options, creates: true, acceptsLostRevisions: acceptLostRevisions
            ) { store in
                try await archive.write(to: store)
                try Output.print("\(archive.summary(store.place))")
            }
        }

        /// The content of the file. The YAML reader is not used, because its limit on values is
        /// lower than a whole history needs.
        private func message() throws -> Weir_Store_V1_Archive {
            let bytes = try YAMLFile.contents(of: file)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw FileError(description: "invalid UTF-8 in \(file.quotedPath)")
            }
            do throws(MessageError) {
                var schema = Schema()
                try schema.add(Weir_Store_V1_Archive._file)
                let json = try JSONValue(parsing: text)
                let message = try JSONTranscoder(schema: schema).bytes(
                    from: json, message: Weir_Store_V1_Archive.messageName ?? "")
                return try Weir_Store_V1_Archive(serializedBytes: message)
            } catch {
                throw FileError(description: "\(file.quotedPath): \(error.description)")
            }
        }
    }

    struct Backup: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copies an SQLite store to a file, even while a server uses it.",
            discussion: """
                The copy contains the latest revision. It is a database: replace weir.db with it, \
                or check it with 'weir state check --store sqlite:FILE'.

                Example:
                  weir state backup weir-backup.db
                """)

        @Argument(help: "The new file; it must not exist.")
        var file: String

        @OptionGroup var options: StoreOptions

        func validate() throws {
            guard file != "-" else {
                throw ValidationError("invalid file '-': a backup requires the path of a new file")
            }
        }

        func run() async throws {
            do {
                let copied = try StateBackup.copy(try options.text, to: file)
                try Output.print(
                    "\(file.quotedPath): revisions \(copied.lowerBound) to \(copied.upperBound)")
            } catch let error as StoreError {
                printError("\(error.description)")
                throw ExitCode.failure
            }
        }
    }

    struct Adopt: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Switches a server to the history that its store contains.",
            discussion: """
                Use it after etcd was restored from a backup or replaced, to keep the state in \
                etcd. The server drops its own state. Each server that 'weir fleet list' shows as \
                diverged must adopt the state.

                Example:
                  weir state adopt --dry-run
                """)

        @Flag(help: "Show what would change without changing it.")
        var dryRun = false

        @OptionGroup var options: AdminOptions

        func run() async throws {
            let reply = try await options.call {
                try await $0.adoptState(.init(validateOnly: dryRun), $1)
            }
            try options.show(reply) { reply in
                StateCommand.histories(reply.previousRevision, reply.revision, reply.commonRevision)
                    + PlanText.page(reply.changes, dryRun: dryRun, revision: reply.revision)
            }
        }
    }

    struct Restore: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replaces the content of the store with the state of a server.",
            discussion: """
                Use it after etcd was emptied, restored from a backup or replaced, to keep the \
                state of the server. Servers with the same history continue without a command.

                Example:
                  weir state restore --dry-run
                """)

        @Flag(help: "Show what would be replaced without replacing it.")
        var dryRun = false

        @OptionGroup var options: AdminOptions

        func run() async throws {
            let reply = try await options.call {
                try await $0.restoreState(
                    .init(validateOnly: dryRun), $1)
            }
            try options.show(reply) { reply in
                let end: TerminalText =
                    dryRun
                    ? "the store would contain revision \(reply.revision) (nothing has changed)"
                    : "the store contains revision \(reply.revision)"
                return StateCommand.histories(
                    reply.revision, reply.previousRevision, reply.commonRevision) + Style.bold(end)
            }
        }
    }

    /// Describes how two histories relate.
    private static func histories(
        _ server: UInt64, _ store: UInt64, _ common: UInt64
    ) -> TerminalText {
        let shared: TerminalText =
            common > 0
            ? "they are equal up to revision \(common)" : "they have no known revision in common"
        return "the server was at revision \(server), the store at revision \(store); \(shared)\n"
    }

    /// - Parameters:
    ///   - creates: whether the store may be new.
    ///   - acceptsLostRevisions: whether the store may have lost revisions.
    private static func using(
        _ options: StoreOptions, creates: Bool = false, acceptsLostRevisions: Bool = false,
        _ body: (any StateStore) async throws -> Void
    ) async throws {
        do {
            let store = try await options.open(
                creates: creates, acceptsLostRevisions: acceptsLostRevisions)
            do {
                try await body(store)
                await store.close()
            } catch {
                await store.close()
                throw error
            }
        } catch let error as StoreError {
            printError("\(error.description)")
            throw error.canBeTriedAgain ? ExitCode.unavailable : .failure
        }
    }
}
