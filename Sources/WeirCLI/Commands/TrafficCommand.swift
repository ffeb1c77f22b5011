internal import ArgumentParser
internal import Messages
internal import Weir

/// `weir traffic`
struct TrafficCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "traffic", abstract: "Shows and sets how an endpoint splits its requests.",
        discussion: """
            Examples:
              weir traffic show greeter
              weir traffic set greeter greeter-v1=90% greeter-v2=10%
            """,
        subcommands: [Show.self, Set.self, Confirm.self])

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows an endpoint's weights.",
            discussion: """
                Example:
                  weir traffic show greeter
                """)

        @Argument(help: "The name of the endpoint.", completion: Completion.endpoints)
        var endpoint: String

        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_GetEndpointRequest(name: endpoint)
            let reply = try await options.call { try await $0.getEndpoint(request, $1) }
            let frozen = try await options.call { try await $0.getFreeze(.init(), $1) }
            try options.show(reply) {
                TrafficCommand.table($0, screen: .current) + FreezeCommand.line(frozen.freeze)
            }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replaces an endpoint's weights.",
            discussion: """
                The weights must sum to 1. Omitted backends receive no requests.

                Examples:
                  weir traffic set greeter greeter-v1=0.9 greeter-v2=0.1
                  weir traffic set greeter greeter-v1=90% greeter-v2=10% --dry-run
                  weir traffic set greeter greeter-v1=2/3 greeter-v2=1/3 --for 30m
                """)

        @Argument(help: "The name of the endpoint.", completion: Completion.endpoints)
        var endpoint: String

        @Argument(
            help: ArgumentHelp(
                "A backend and its weight: 0.9, 90% or 9/10.", valueName: "backend=weight"),
            completion: Completion.assignments, transform: Assignment.parse)
        var weights: [Assignment]

        @Flag(help: "Change the weights although a rollout runs; the rollout pauses.")
        var overrideRollout = false

        @Flag(help: "Change the weights although changes are frozen.")
        var overrideFreeze = false

        @Option(
            name: .customLong("for"),
            help: "Restore the previous weights after this time, for example 30m.",
            transform: Bounded.duration)
        var revertAfter: Google_Protobuf_Duration?

        @Option(
            help: "Restore them after this time unless 'weir traffic confirm' is run.",
            transform: Bounded.duration)
        var confirmWithin: Google_Protobuf_Duration?

        @OptionGroup(title: "Change") var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func validate() throws {
            guard revertAfter == nil || confirmWithin == nil else {
                throw ValidationError("--for and --confirm-within exclude each other")
            }
        }

        func run() async throws {
            let request = Weir_Admin_V1_SetTrafficRequest(
                endpoint: endpoint,
                weights: weights.map { .init(backend: $0.backend, weight: $0.value) },
                expectedRevision: change.expectedRevision, validateOnly: change.dryRun,
                note: change.note, overrideRollout: overrideRollout, revertAfter: revertAfter,
                confirmWithin: confirmWithin, overrideFreeze: overrideFreeze)
            let reply = try await options.call { try await $0.setTraffic(request, $1) }
            for warning in reply.warnings { printError("warning: \(warning)") }
            try options.show(reply) { reply in
                let moves = change.dryRun ? "would move" : "moved"
                let packed =
                    reply.packed ? ", because the affinity map was repacked" : ""
                return TrafficCommand.table(reply.endpoint ?? .init(), screen: .current)
                    + "\n\(Style.percent(reply.movedShare)) of all shard keys \(moves)\(packed) "
                    + (change.dryRun ? "(nothing has changed)" : "(revision \(reply.revision))")
            }
        }
    }

    struct Confirm: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keeps the weights of a 'weir traffic set --confirm-within'.",
            discussion: """
                A freeze allows it, because no weights change.

                Example:
                  weir traffic confirm greeter
                """)

        @Argument(help: "The name of the endpoint.", completion: Completion.endpoints)
        var endpoint: String

        @OptionGroup(title: "Change") var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_ConfirmTrafficRequest(
                endpoint: endpoint, expectedRevision: change.expectedRevision,
                validateOnly: change.dryRun, note: change.note)
            let reply = try await options.call { try await $0.confirmTraffic(request, $1) }
            try options.show(reply) { TrafficCommand.table($0, screen: .current) + change.remark }
        }
    }

    /// The weights of an endpoint, and when they revert.
    ///
    /// - Parameter screen: the lines fit its columns.
    static func table(
        _ endpoint: Weir_Admin_V1_Endpoint, screen: Screen = .unlimited
    ) -> TerminalText {
        var table = Table([
            .init(title: "BACKEND", isName: true), .init(title: "WEIGHT", alignment: .right),
            .init(title: "", bar: 4...20, drop: 2),
            .init(title: "INTERVALS", alignment: .right, drop: 1),
        ])
        for weight in endpoint.weights {
            let intervals = endpoint.intervals.count { $0.backend == weight.backend }
            table.add([
                .text(weight.backend), .text(Style.weight(weight.weight)),
                .bar { Style.bar(weight.weight, width: $0) }, .text("\(intervals)"),
            ])
        }
        let route = endpoint.route.isEmpty ? "(called by name)" : endpoint.route
        let head = screen.wrapped(
            [
                (Style.bold("\(endpoint.name)"), endpoint.name.count), ("\(route)", route.count),
            ], separator: " ")
        let weights = head + "\n" + table.text(columns: screen.columns)
        guard let box = endpoint.timeBox else { return weights }
        let before = box.before.map { "\($0.backend)=\(Style.weight($0.weight))" }.joined(
            separator: " ")
        let unless = box.confirmable ? " unless confirmed" : ""
        return weights + "\n"
            + Style.yellow(
                screen.words(
                    "reverts to \(before) at \(Style.time(box.reverts))\(unless), set by "
                        + box.author, indent: 2))
    }
}
