internal import ArgumentParser
internal import Messages
internal import Weir

/// `weir backend`
struct BackendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backend",
        abstract: "Manages backends, the implementations that answer requests.",
        discussion: """
            Examples:
              weir backend ls
              weir backend create model-v2 --upstream 10.0.0.7:50051
            """,
        subcommands: [List.self, Show.self, Create.self, Update.self, Delete.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists all backends.",
            discussion: """
                Examples:
                  weir backend list
                  weir backend ls --json
                """,
            aliases: ["ls"])

        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_ListBackendsRequest()
            let reply = try await options.call { try await $0.listBackends(request, $1) }
            try options.show(reply) {
                BackendCommand.table($0.backends, columns: Screen.current.columns)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows a backend and the state of its replicas.",
            discussion: """
                Example:
                  weir backend show greeter-v2
                """)

        @Argument(help: "The name of the backend.", completion: Completion.backends)
        var name: String

        @Flag(help: "Show the values of workers' environment variables; requires the role admin.")
        var revealSecrets = false

        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_GetBackendRequest(
                name: name, revealSecrets: revealSecrets)
            let reply = try await options.call { try await $0.getBackend(request, $1) }
            try options.show(reply) { BackendText.page($0, screen: .current) }
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds a backend: upstream servers, worker processes or Swift code.",
            discussion: """
                Examples:
                  weir backend create model-v2 --upstream 10.0.0.7:50051,10.0.0.8:50051
                  weir backend create model-v3 --worker 'python3 -m my_model' --replicas 2
                  weir backend create model-v4 -f model-v4.yaml
                """)

        @Argument(help: "The name of the new backend.")
        var name: String

        @OptionGroup(title: "Backend") var spec: BackendOptionsGroup
        @OptionGroup(title: "Change") var change: ChangeOptions
        @OptionGroup var wait: WaitOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            var backend = Weir_Admin_V1_Backend(name: name)
            try spec.apply(to: &backend)
            let request = Weir_Admin_V1_CreateBackendRequest(
                backend: backend, expectedRevision: change.expectedRevision,
                validateOnly: change.dryRun, note: change.note)
            let reply = try await options.call { try await $0.createBackend(request, $1) }
            try await wait.show(reply, .created, change, options)
        }
    }

    struct Update: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Changes a backend. Omitted options keep their values.",
            discussion: """
                Weir replaces worker processes one by one, each when its successor is healthy.
                If a successor does not become healthy, the old processes remain and the command
                fails. Without a difference, the command makes no revision and says so.

                Examples:
                  weir backend update model-v3 --replicas 4
                  weir backend update model-v2 --upstream 10.0.0.9:50051 --wait 60
                """)

        @Argument(help: "The name of the backend.", completion: Completion.backends)
        var name: String

        @OptionGroup(title: "Backend") var spec: BackendOptionsGroup
        @OptionGroup(title: "Change") var change: ChangeOptions
        @OptionGroup var wait: WaitOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let before = try await options.call { try await $0.getBackend(.init(name: name), $1) }
            var backend = before
            try spec.apply(to: &backend)
            let request = Weir_Admin_V1_UpdateBackendRequest(
                backend: backend, expectedRevision: change.expectedRevision,
                validateOnly: change.dryRun, note: change.note)
            // The server checks the expected revision.
            let isSame = backend == before && change.expectedRevision == nil
            let reply =
                isSame ? before : try await options.call { try await $0.updateBackend(request, $1) }
            if isSame {
                printError("note: nothing has changed: backend \(name.quoted) has these values")
            }
            try await wait.show(reply, .updated(from: before), change, options)
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Deletes a backend that no endpoint uses.",
            discussion: """
                Examples:
                  weir backend delete model-v1
                  weir backend rm model-v1 --dry-run
                """,
            aliases: ["rm"])

        @Argument(help: "The name of the backend.", completion: Completion.backends)
        var name: String

        @OptionGroup(title: "Change") var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_DeleteBackendRequest(
                name: name, expectedRevision: change.expectedRevision,
                validateOnly: change.dryRun, note: change.note)
            let reply = try await options.call { try await $0.deleteBackend(request, $1) }
            let done = change.dryRun ? "would be deleted" : "deleted"
            try options.show(reply) { "backend \(name) \(done) (revision \($0.revision))" }
        }
    }

    /// - Parameter limit: the columns of the terminal; nil for any number.
    static func table(
        _ backends: [Weir_Admin_V1_Backend], columns limit: Int? = nil
    ) -> TerminalText {
        var table = Table([
            .init(title: "BACKEND", isName: true), .init(title: "KIND", drop: 3),
            .init(title: "READY", alignment: .right),
            .init(title: "SERVICES", isName: true, drop: 2),
            .init(title: "ENDPOINTS", isName: true, drop: 4),
            .init(title: "DESCRIPTION", isName: true, drop: 1),
        ])
        for backend in backends {
            table.add([
                backend.name, BackendText.kind(backend), BackendText.ready(backend),
                backend.services.isEmpty ? "-" : backend.services.joined(separator: ", "),
                backend.endpoints.isEmpty ? "-" : backend.endpoints.joined(separator: ", "),
                backend.description,
            ])
        }
        return table.text(columns: limit)
    }
}
