internal import ArgumentParser
internal import Messages
internal import Weir

/// `weir endpoint`
struct EndpointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoint", abstract: "Manages endpoints, the entry points with their routes.",
        discussion: """
            Examples:
              weir endpoint ls
              weir endpoint create api --route /api.v1.Api/ --backend model-v1
            """,
        subcommands: [List.self, Show.self, Create.self, Limit.self, Delete.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists all endpoints.",
            discussion: """
                Examples:
                  weir endpoint list
                  weir endpoint ls --json
                """,
            aliases: ["ls"])

        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_ListEndpointsRequest()
            let reply = try await options.call { try await $0.listEndpoints(request, $1) }
            try options.show(reply) {
                EndpointCommand.table($0.endpoints, columns: Screen.current.columns)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows an endpoint: its route, weights, shadows and limits.",
            discussion: """
                Example:
                  weir endpoint show greeter
                """)

        @Argument(help: "The name of the endpoint.", completion: Completion.endpoints)
        var name: String

        @OptionGroup var options: AdminOptions

        func run() async throws {
            let reply = try await options.call { try await $0.getEndpoint(.init(name: name), $1) }
            try options.show(reply) { EndpointCommand.page($0, screen: .current) }
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds an endpoint that routes all requests to one backend.",
            discussion: """
                Examples:
                  weir endpoint create greeter --route /helloworld.Greeter/ --backend greeter-v1
                  weir endpoint create prices --route /prices --methods GET --backend v1
                """)

        @Argument(help: "The name of the new endpoint.")
        var name: String

        @Option(
            help: """
                A method /pkg.Service/Method, a service /pkg.Service/, or a plain path /like/this \
                for HTTP that is not gRPC. Without a route, clients call the endpoint by name.
                """)
        var route = ""

        @Option(help: "The backend that receives all requests.", completion: Completion.backends)
        var backend: String

        @Option(
            help: ArgumentHelp(
                "The methods of plain HTTP requests to accept, separated by commas (default: all).",
                valueName: "methods"))
        var methods: String?

        @Option(
            help: ArgumentHelp(
                "The cookie with the shard key of HTTP requests that are not gRPC and lack the "
                    + "header x-serve-shard-key.", valueName: "name"))
        var shardKeyCookie = ""

        @Option(
            help: ArgumentHelp(
                "The query parameter with that key, if a request lacks the cookie too.",
                valueName: "name"))
        var shardKeyQuery = ""

        @OptionGroup(title: "Scripts of other origins") var cors: CORSOptions
        @OptionGroup(title: "Change") var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let methods = methods.map { $0.split(separator: ",").map(String.init) } ?? []
            let request = Weir_Admin_V1_CreateEndpointRequest(
                name: name, route: route, backend: backend,
                expectedRevision: change.expectedRevision, validateOnly: change.dryRun,
                note: change.note, methods: methods, cors: cors.policy,
                httpShardKey: shardKeyCookie.isEmpty && shardKeyQuery.isEmpty
                    ? nil : .init(cookie: shardKeyCookie, query: shardKeyQuery))
            let reply = try await options.call { try await $0.createEndpoint(request, $1) }
            try options.show(reply) {
                EndpointCommand.table([$0], columns: Screen.current.columns) + change.remark
            }
        }
    }

    struct Limit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Limits the requests per second of an endpoint.",
            discussion: """
                Weir rejects further requests with RESOURCE_EXHAUSTED and the time after which to \
                retry. Each server counts its own requests.

                Examples:
                  weir endpoint limit greeter --requests-per-second 100 --burst 20
                  weir endpoint limit greeter --none
                """)

        @Argument(help: "The name of the endpoint.", completion: Completion.endpoints)
        var name: String

        @Option(
            help: "Requests per second, 0.00001 to 1e9.",
            transform: Bounded.decimal(1e-5...1e9))
        var requestsPerSecond: Double?

        @Option(
            help: "The burst size (default: the requests of one second).",
            transform: Bounded.whole(0...UInt32.max))
        var burst: UInt32?

        @Flag(help: "Remove the limit.")
        var none = false

        @OptionGroup(title: "Change") var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func validate() throws {
            guard none == (requestsPerSecond == nil), !none || burst == nil else {
                throw ValidationError(
                    "use either --requests-per-second, with or without --burst, or --none")
            }
        }

        func run() async throws {
            let request = Weir_Admin_V1_SetRateLimitRequest(
                endpoint: name,
                rateLimit: requestsPerSecond.map {
                    .init(requestsPerSecond: $0, burst: burst ?? 0)
                },
                expectedRevision: change.expectedRevision, validateOnly: change.dryRun,
                note: change.note)
            let reply = try await options.call { try await $0.setRateLimit(request, $1) }
            try options.show(reply) {
                EndpointCommand.table([$0], columns: Screen.current.columns) + change.remark
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Deletes an endpoint, but not its backends.",
            discussion: """
                Examples:
                  weir endpoint delete greeter
                  weir endpoint rm greeter --dry-run
                """,
            aliases: ["rm"])

        @Argument(help: "The name of the endpoint.", completion: Completion.endpoints)
        var name: String

        @OptionGroup(title: "Change") var change: ChangeOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let request = Weir_Admin_V1_DeleteEndpointRequest(
                name: name, expectedRevision: change.expectedRevision,
                validateOnly: change.dryRun, note: change.note)
            let reply = try await options.call { try await $0.deleteEndpoint(request, $1) }
            let done = change.dryRun ? "would be deleted" : "deleted"
            try options.show(reply) { "endpoint \(name) \(done) (revision \($0.revision))" }
        }
    }

    /// - Parameter screen: the lines fit its columns.
    static func page(
        _ endpoint: Weir_Admin_V1_Endpoint, screen: Screen = .unlimited
    ) -> TerminalText {
        var lines = [TrafficCommand.table(endpoint, screen: screen)]
        if !endpoint.methods.isEmpty {
            lines.append("methods: \(endpoint.methods.joined(separator: ", "))")
        }
        if let limit = endpoint.rateLimit { lines.append("limit: \(text(limit))") }
        lines.append(ShadowText.list(endpoint, screen: screen))
        lines.append(Style.dim("revision \(endpoint.revision)"))
        return lines.joined(separator: "\n")
    }

    private static func text(_ limit: Weir_Admin_V1_RateLimit) -> String {
        let rate = limit.requestsPerSecond
        return "\(Int(exactly: rate).map { "\($0)" } ?? "\(rate)")/s, \(limit.burst) at once"
    }

    /// - Parameter limit: the columns of the terminal; nil for any number.
    static func table(
        _ endpoints: [Weir_Admin_V1_Endpoint], columns limit: Int? = nil
    ) -> TerminalText {
        let isLimited = endpoints.contains { $0.rateLimit != nil }
        var table = Table(
            [
                .init(title: "ENDPOINT", isName: true), .init(title: "ROUTE", isName: true),
                .init(title: "TRAFFIC", isName: true), .init(title: "SHADOWS", isName: true),
            ] + (isLimited ? [.init(title: "LIMIT", drop: 1)] : []))
        for endpoint in endpoints {
            let weights = endpoint.weights.map { "\($0.backend)=\(Style.weight($0.weight))" }
            let shadows = endpoint.shadows.map { "\($0.backend)=\(Style.weight($0.proportion))" }
            var row = [
                endpoint.name, endpoint.route.isEmpty ? "-" : endpoint.route,
                weights.joined(separator: " "),
                shadows.isEmpty ? "-" : shadows.joined(separator: " "),
            ]
            if isLimited { row.append(endpoint.rateLimit.map(Self.text) ?? "-") }
            table.add(row)
        }
        return table.text(columns: limit)
    }
}
