internal import ArgumentParser
internal import Weir

/// `weir`: serves, and talks to a server that runs.
@main
struct WeirCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir",
        abstract: "Serves gRPC and splits its traffic between versions, while it runs.",
        discussion: """
            Start a server with 'weir serve --demo'; the other commands talk to it through its \
            admin port. Exit codes: 0 done, 1 refused, 64 wrong usage, 69 no server there, or its \
            store can't be reached.
            """,
        version: WeirServer.version,
        subcommands: [
            ServeCommand.self, BackendCommand.self, EndpointCommand.self, TrafficCommand.self,
            ShadowCommand.self, ExplainCommand.self, StatsCommand.self, CallCommand.self,
            ApplyCommand.self, ExportCommand.self, HistoryCommand.self, DiffCommand.self,
            RollbackCommand.self, FleetCommand.self, StateCommand.self, AccessCommand.self,
        ])
}
