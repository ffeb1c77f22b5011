internal import ArgumentParser

/// `weir`: serves, and talks to a server that runs.
@main
struct WeirCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir",
        abstract: "Serves gRPC and splits its traffic between versions, while it runs.",
        discussion: """
            Start a server with 'weir serve --demo'; the other commands talk to it through its \
            admin port. Exit codes: 0 done, 1 refused, 64 wrong usage, 69 no server there.
            """,
        version: "0.1.0",
        subcommands: [
            ServeCommand.self, BackendCommand.self, EndpointCommand.self, TrafficCommand.self,
            ShadowCommand.self, ExplainCommand.self, StatsCommand.self, CallCommand.self,
        ])
}
