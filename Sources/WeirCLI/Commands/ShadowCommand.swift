internal import ArgumentParser
internal import Messages

/// `weir shadow`
struct ShadowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shadow", abstract: "Which backends get copies of an endpoint's requests.",
        subcommands: [Set.self])

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds, changes or, with proportion 0, removes a shadow.")

        @Argument(help: "The name of the endpoint.")
        var endpoint: String

        @Argument(
            help: ArgumentHelp(
                "A backend and the share of requests, 0 to 1.", valueName: "backend=proportion"))
        var shadow: Assignment

        @OptionGroup var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_ShadowTrafficRequest(
                endpoint: endpoint, backend: shadow.backend, proportion: shadow.value,
                expectedRevision: change.expectedRevision, validateOnly: change.dryRun)
            let reply: Weir_Admin_V1_Endpoint = try await options.call("ShadowTraffic", request)
            try options.show(reply) { endpoint in
                var table = Table([("SHADOW", .left), ("PROPORTION", .right), ("", .left)])
                for shadow in endpoint.shadows {
                    table.add([
                        shadow.backend, "\(shadow.proportion)", Style.bar(shadow.proportion),
                    ])
                }
                return
                    "\(Style.bold(endpoint.name)) shadows:\(endpoint.shadows.isEmpty ? " " : "\n")"
                    + table.text + (change.dryRun ? "\n(nothing has changed)" : "")
            }
        }
    }
}
