internal import ArgumentParser
internal import Foundation
internal import GRPCWire
internal import HelloWorld
internal import Logging
internal import Logs
internal import Messages
internal import Serving
internal import Upstream
internal import Weir

/// `weir serve`
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serves until SIGTERM or Ctrl-C.",
        discussion: """
            The first line of output contains the addresses. On SIGTERM, the server drains: it \
            finishes running requests, then exits. A second signal ends the wait.

            Examples:
              weir serve --demo
              weir serve --state-dir /var/lib/weir -f weir.yaml
              weir serve --store etcd:http://10.0.0.5:2379 --name weir-a
            """)

    @Option(help: "The address for clients; port 0 selects a free port.")
    var data = "127.0.0.1:8000"

    @Option(help: "The address for operators.")
    var admin = "127.0.0.1:8001"

    @Option(
        help: ArgumentHelp(
            "Serve /metrics, /healthz and /readyz also on this address, without TLS and "
                + "authentication, and nothing else.", valueName: "host:port"))
    var metrics: String?

    @Flag(help: "Serve the demo: helloworld.Greeter in two versions, with the state in memory.")
    var demo = false

    @OptionGroup(title: "State") var state: StoreOptions

    @OptionGroup(title: "Security") var security: SecurityOptions

    @OptionGroup(title: "Export") var export: ExportOptions

    @OptionGroup(title: "Log") var logging: LogOptions

    @OptionGroup(title: "Access log") var access: AccessLogOptions

    @Option(
        name: [.customShort("f"), .long],
        help: ArgumentHelp(
            "The initial configuration, used if the state is empty; see 'weir apply'.",
            valueName: "file"), completion: .file())
    var file: String?

    @Flag(help: "Start even if the store has lost its latest revisions.")
    var acceptLostRevisions = false

    @Option(help: "The name of this server in the fleet (default: the host name).")
    var name: String?

    @Option(
        help: "The number of revisions to keep for rollbacks, 1 to 1000000 (default: 1000).",
        transform: Bounded.whole(1...1_000_000))
    var keepRevisions = 1_000

    @Option(
        help: "The days to keep them, 0.001 to 36500 (default: 90).",
        transform: Bounded.decimal(0.001...36_500))
    var keepDays = 90.0

    @Flag(help: "Do not send the name of the backend (x-serve-backend) to clients.")
    var hideBackends = false

    @Flag(help: "Do not serve the console, a web page for operators, on the admin address.")
    var noConsole = false

    @Option(
        help: ArgumentHelp(
            "Replace a running server without downtime: share its ports, and wait for its "
                + "state for this many seconds, at most 86400.", valueName: "seconds"),
        transform: Bounded.decimal(0...86_400))
    var takeOver: Double?

    @Option(
        help: ArgumentHelp(
            "Event loops, 1 to 1024 (default: one per core that the CPU affinity and the CPU quota "
                + "of the process allow)."),
        transform: Bounded.whole(1...1_024))
    var loops: Int?

    @Option(
        help: ArgumentHelp(
            "Set a limit; may be repeated. --list-limits lists all limits.", valueName: "name=value"
        )
    )
    var limit: [String] = []

    @Flag(help: "List all limits and their values, and exit.")
    var listLimits = false

    @Flag(help: "Print the addresses as JSON.")
    var json = false

    func validate() throws {
        if let name {
            guard (1...253).contains(name.utf8.count),
                !name.unicodeScalars.contains(where: \.isControl)
            else {
                throw ValidationError(
                    "invalid --name '\(name.printable(limit: 80))': use 1 to 253 bytes without "
                        + "control characters")
            }
        }
        if access.accessLog == nil, access.accessLogShare != nil,
            try export.settings()?.logs == nil
        {
            throw ValidationError("--access-log-share requires --access-log or --otlp-calls")
        }
        _ = try limits
    }

    private var limits: Limits {
        get throws {
            var limits = Limits()
            for item in limit {
                let pair = item.split(separator: "=", maxSplits: 1).map(String.init)
                guard pair.count == 2 else {
                    throw ValidationError("invalid --limit '\(item)': use NAME=VALUE")
                }
                do throws(Limits.Invalid) {
                    try limits.set(pair[0], to: pair[1])
                } catch {
                    throw ValidationError(error.description)
                }
            }
            return limits
        }
    }

    private static func table(_ limits: Limits) -> TerminalText {
        var table = Table([("LIMIT", .left), ("VALUE", .right), ("", .left)])
        for setting in Limits.named {
            table.add([setting.name, setting.text(in: limits), setting.isTime ? "s" : ""])
        }
        return table.text
    }

    func run() async throws {
        if listLimits { return try Output.print(Self.table(limits)) }
        ProcessSetup.ignoreUnusedSignals()
        CrashTrace.install()
        logging.install()
        defer { ThrottledLog.standardError.flush() }
        let fileLimit = FileLimit.raised()
        let document = try file.map { try YAMLFile($0) }
        let desired: Weir_Admin_V1_Configuration? = try document?.message()
        var configuration = WeirServer.Configuration()
        configuration.data = try Address(argument: data, of: "--data")
        configuration.admin = try Address(argument: admin, of: "--admin")
        configuration.metrics = try metrics.map { try Address(argument: $0, of: "--metrics") }
        configuration.security = security.settings
        configuration.export = try export.settings()
        for problem in ExportOptions.ignoredProblems {
            configuration.log.warning(
                "a variable of OpenTelemetry is ignored", metadata: ["reason": "\(problem)"])
        }
        configuration.namesBackends = !hideBackends
        configuration.accessLog = access.settings
        configuration.callShare = access.share
        configuration.servesConsole = !noConsole
        let isNamed = state.store != nil || state.stateDir != nil
        configuration.store =
            demo && !isNamed ? .memory : try StateStorage(state.text)
        do {
            configuration.copyDirectory = try state.copyDirectory
        } catch {
            configuration.log.warning(
                "no copy of the state is kept on this machine", metadata: ["reason": "\(error)"])
        }
        configuration.acceptsLostRevisions = acceptLostRevisions
        configuration.keptRevisions = keepRevisions
        configuration.keptRevisionAge = .seconds(keepDays * 86_400)
        configuration.inheritedSockets = .fromEnvironment()
        configuration.takeOverTimeout = takeOver.map { .seconds($0) }
        if let name { configuration.name = name }
        if let loops { configuration.loops = loops }
        configuration.limits = try limits
        let lowered = try fileLimit?.apply(
            to: &configuration.limits, loops: configuration.loops, servesMetrics: metrics != nil)
        if let lowered { configuration.log.warning("\(lowered)") }
        configuration.lostLogLines = { LogWriter.standardError.lost }

        let reaping = reapOrphans()
        defer { reaping.cancel() }
        let server = WeirServer(configuration, backends: demo ? Greeters.all : [])
        let addresses = try await start(server)
        do {
            if let document, let desired {
                try await seed(server, desired, from: document)
            } else if demo {
                try await prepareDemo(server)
            }
        } catch {
            try await server.shutDown()
            throw error
        }
        try await server.run { announce(addresses) }
    }

    /// Process 1 of a container becomes the parent of every orphaned process, and must reap it; so
    /// does a subreaper, which Swift cannot ask the system about. All other children are workers.
    private func reapOrphans() -> Task<Void, Never> {
        Task {
            while (try? await Task.sleep(for: .seconds(1))) != nil {
                OwnProcesses.shared.reapOrphans()
            }
        }
    }

    private func start(_ server: WeirServer) async throws -> WeirServer.Addresses {
        do {
            return try await server.startUnready()
        } catch let failure as StateStorage.Failure {
            printError("\(failure.description)")
            if failure.isDamage {
                printError("see 'weir state --help' for how to save the intact part")
            }
            throw ExitCode.failure
        } catch {
            printError("\(error)")
            throw ExitCode.failure
        }
    }

    /// Applies a configuration to an empty state.
    private func seed(
        _ server: WeirServer, _ desired: Weir_Admin_V1_Configuration, from document: YAMLFile
    ) async throws {
        try await reporting {
            do {
                try await document.locating {
                    try await server.begin(with: desired, comment: "weir serve -f \(file ?? "")")
                }
            } catch let error as RPCError where error.code == .failedPrecondition {
                printError("\(error.message); \(file ?? "") is not applied")
            }
        }
    }

    private func prepareDemo(_ server: WeirServer) async throws {
        do {
            try await server.createEndpoint(
                "greeter", route: "/\(Greeters.service)/", backend: "greeter-v1")
        } catch {
            // A stored state is not changed.
            if error.code == .alreadyExists { return }
            throw error
        }
        try await server.setTraffic("greeter", ["greeter-v1": 0.9, "greeter-v2": 0.1])
    }

    /// Prints the addresses. The server also runs with standard output closed.
    private func announce(_ addresses: WeirServer.Addresses) {
        do throws(Output.Failure) {
            guard !json else {
                var members: [(String, JSONValue)] = [
                    ("data", .string("\(addresses.data)")),
                    ("admin", .string("\(addresses.admin)")),
                ]
                if let metrics = addresses.metrics {
                    members.append(("metrics", .string("\(metrics)")))
                }
                if let console = console(addresses) {
                    members.append(("console", .string(console)))
                }
                let line = JSONValue.object(members)
                return try Output.print(json: line.text(indent: 0))
            }
            let scraped: TerminalText =
                if let metrics = addresses.metrics { ", metrics on \(metrics)" } else { "" }
            let page: TerminalText =
                if let console = console(addresses) { "console on \(console)" } else { "" }
            let line: TerminalText =
                "weir serves on \(addresses.data), admin on \(addresses.admin)\(scraped)"
            let first = page.text.isEmpty ? line : page + "\n" + line
            let last = page.text.isEmpty ? line : line + ", " + page
            try Output.print(demo ? first + "\n" + Self.suggestions(addresses) : last)
        } catch {
            printError("warning: cannot write standard output: \(error.cause)")
        }
    }

    /// The address of the console; nil without one.
    private func console(_ addresses: WeirServer.Addresses) -> String? {
        guard !noConsole else { return nil }
        return "\(security.adminTlsCert == nil ? "http" : "https")://\(addresses.admin)/"
    }

    private static func suggestions(_ addresses: WeirServer.Addresses) -> TerminalText {
        let weir = CommandLine.arguments.first ?? "weir"
        let call: TerminalText =
            addresses.data.port == 8_000 ? "" : " --address \(addresses.data)"
        let admin: TerminalText =
            addresses.admin.port == 8_001 ? "" : " --admin \(addresses.admin)"
        return """

            The demo splits helloworld.Greeter 0.9 / 0.1 between greeter-v1 and greeter-v2. \
            In another terminal, try:

              \(weir) call helloworld.Greeter/SayHello --data '{"name": "Ada"}'\(call)
              \(weir) traffic set greeter greeter-v1=0.5 greeter-v2=0.5\(admin)
              \(weir) stats --watch\(admin)

            """
    }
}
