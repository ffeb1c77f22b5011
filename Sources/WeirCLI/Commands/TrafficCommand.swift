internal import ArgumentParser
internal import Messages
internal import Weir

/// `weir traffic`
struct TrafficCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "traffic", abstract: "Shows and sets how an endpoint splits its requests.",
        subcommands: [Show.self, Set.self])

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows an endpoint's weights.")

        @Argument(help: "The name of the endpoint.")
        var endpoint: String

        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_GetEndpointRequest(name: endpoint)
            let reply = try await options.call { try await $0.getEndpoint(request, $1) }
            try options.show(reply, TrafficCommand.table)
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replaces an endpoint's weights.",
            discussion: "The weights must sum to 1. Omitted backends receive no requests.")

        @Argument(help: "The name of the endpoint.")
        var endpoint: String

        @Argument(
            help: ArgumentHelp("A backend and its weight.", valueName: "backend=weight"),
            transform: Assignment.parse)
        var weights: [Assignment]

        @Flag(help: "Change the weights although a rollout runs; the rollout pauses.")
        var overrideRollout = false

        @OptionGroup var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_SetTrafficRequest(
                endpoint: endpoint,
                weights: weights.map { .init(backend: $0.backend, weight: $0.value) },
                expectedRevision: change.expectedRevision, validateOnly: change.dryRun,
                note: change.note, overrideRollout: overrideRollout)
            let reply = try await options.call { try await $0.setTraffic(request, $1) }
            for warning in reply.warnings { printError("warning: \(warning)") }
            try options.show(reply) { reply in
                let moves = change.dryRun ? "would move" : "moved"
                let packed =
                    reply.packed ? ", because the affinity map was repacked" : ""
                return TrafficCommand.table(reply.endpoint ?? .init())
                    + "\n\(Style.percent(reply.movedShare)) of all shard keys \(moves)\(packed) "
                    + (change.dryRun ? "(nothing has changed)" : "(revision \(reply.revision))")
            }
        }
    }

    private static func table(_ endpoint: Weir_Admin_V1_Endpoint) -> TerminalText {
        var table = Table([
            ("BACKEND", .left), ("WEIGHT", .right), ("", .left), ("INTERVALS", .right),
        ])
        for weight in endpoint.weights {
            let intervals = endpoint.intervals.count { $0.backend == weight.backend }
            table.add([
                weight.backend, "\(weight.weight)", Style.bar(weight.weight), "\(intervals)",
            ])
        }
        return "\(Style.bold("\(endpoint.name)")) \(endpoint.route)\n" + table.text
    }
}
