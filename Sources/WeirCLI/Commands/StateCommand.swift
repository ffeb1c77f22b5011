internal import ArgumentParser
internal import ControlPlane
internal import Foundation
internal import Messages

/// `weir state`
struct StateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "state", abstract: "Checks, saves and moves a stored state, without a server.",
        discussion: """
            These commands work on the store itself; stop a server that uses an SQLite store \
            first. Exit code 1 means that the stored state is damaged.
            """,
        subcommands: [Check.self, Export.self, Import.self])

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reads everything, and says what is wrong with it.")

        @OptionGroup var options: StoreOptions

        func run() async throws {
            try await StateCommand.using(options) { store in
                let archive = try await StateArchive(reading: store)
                try Output.print("\(archive.inWords(store.place))")
                if let damage = archive.damage {
                    complain("\(damage)")
                    complain(
                        "save what is intact with 'weir state export', and put it into a new "
                            + "store with 'weir state import'")
                    throw ExitCode(EXIT_FAILURE)
                }
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints everything as JSON: history and affinity maps, bit for bit.",
            discussion: "Of a damaged store it prints what is intact, and exits with 1.")

        @OptionGroup var options: StoreOptions

        func run() async throws {
            try await StateCommand.using(options) { store in
                let archive = try await StateArchive(reading: store)
                try Output.print(json: AdminOptions.json(archive.message))
                if let damage = archive.damage {
                    complain("only revisions up to \(archive.latest) are intact: \(damage)")
                    throw ExitCode(EXIT_FAILURE)
                }
            }
        }
    }

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes the output of 'weir state export' to an empty store.")

        @Argument(help: "The file; '-' for standard input.")
        var file: String

        @OptionGroup var options: StoreOptions

        func run() async throws {
            let archive = try StateArchive(
                try YAMLFile(file).message(as: Weir_Store_V1_Archive.self))
            try await StateCommand.using(options, creates: true) { store in
                try await archive.write(to: store)
                try Output.print("\(archive.inWords(store.place))")
            }
        }
    }

    /// - Parameter creates: whether the store may be a new one.
    private static func using(
        _ options: StoreOptions, creates: Bool = false,
        _ body: (any StateStore) async throws -> Void
    ) async throws {
        do {
            let store = try await options.open(creates: creates)
            do {
                try await body(store)
                await store.close()
            } catch {
                await store.close()
                throw error
            }
        } catch let error as StoreError {
            complain("\(error.description)")
            throw ExitCode(EXIT_FAILURE)
        }
    }
}
