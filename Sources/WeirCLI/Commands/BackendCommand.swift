internal import ArgumentParser
internal import Messages

/// `weir backend`
struct BackendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backend", abstract: "The implementations that answer requests.",
        subcommands: [List.self, Create.self, Delete.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists all backends.")

        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_ListBackendsRequest()
            let reply: Weir_Admin_V1_ListBackendsResponse = try await options.call(
                "ListBackends", request)
            try options.show(reply) { BackendCommand.table($0.backends) }
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds a backend made of Swift code in the server.")

        @Argument(help: "The name of the new backend.")
        var name: String

        @Option(help: "The name under which the program registered the code.")
        var handler: String

        @Option(help: "A note for people.")
        var description = ""

        @OptionGroup var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let backend = Weir_Admin_V1_Backend(
                name: name, kind: .handler(.init(handler: handler)), description: description)
            let request = Weir_Admin_V1_CreateBackendRequest(
                backend: backend, expectedRevision: change.expectedRevision,
                validateOnly: change.dryRun)
            let reply: Weir_Admin_V1_Backend = try await options.call("CreateBackend", request)
            try options.show(reply) { BackendCommand.table([$0]) }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes a backend that no endpoint names.")

        @Argument(help: "The name of the backend.")
        var name: String

        @OptionGroup var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_DeleteBackendRequest(
                name: name, expectedRevision: change.expectedRevision,
                validateOnly: change.dryRun)
            let reply: Weir_Admin_V1_DeleteBackendResponse = try await options.call(
                "DeleteBackend", request)
            let done = change.dryRun ? "would be deleted" : "deleted"
            try options.show(reply) { "backend \(name) \(done) (revision \($0.revision))" }
        }
    }

    private static func table(_ backends: [Weir_Admin_V1_Backend]) -> String {
        var table = Table([
            ("BACKEND", .left), ("KIND", .left), ("SERVICES", .left), ("ENDPOINTS", .left),
            ("DESCRIPTION", .left),
        ])
        for backend in backends {
            table.add([
                backend.name, "handler", backend.services.joined(separator: ", "),
                backend.endpoints.isEmpty ? "-" : backend.endpoints.joined(separator: ", "),
                backend.description,
            ])
        }
        return table.text
    }
}
