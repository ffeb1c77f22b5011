internal import ArgumentParser
internal import Messages
internal import Weir

/// `weir explain`
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Shows which backend Weir selects for a request, and why.",
        discussion: """
            Examples:
              weir explain /helloworld.Greeter/SayHello --shard-key ada
              weir explain greeter
            """)

    @Argument(
        help:
            "The path of the request (/pkg.Service/Method, or a plain path), or an endpoint's name."
    )
    var path: String

    @Option(help: "The value of x-serve-shard-key.")
    var shardKey = ""

    @OptionGroup var options: AdminOptions

    func run() async throws {
        let isPath = path.contains("/")
        let request = Weir_Admin_V1_ExplainRouteRequest(
            path: isPath ? path : "", shardKey: Array(shardKey.utf8), endpoint: isPath ? "" : path)
        let reply = try await options.call { try await $0.explainRoute(request, $1) }
        try options.show(reply) { reply in
            var lines: [TerminalText] = [
                "endpoint  \(reply.endpoint)",
                "backend   \(reply.backend.isEmpty ? "by chance" : Style.bold("\(reply.backend)"))",
            ]
            for shadow in reply.shadows {
                let copied =
                    switch shadow.copied {
                    case true?: "copied"
                    case false?: "not copied"
                    case nil: "copied by chance, \(Style.percent(shadow.proportion))"
                    }
                lines.append("shadow    \(shadow.backend): \(copied)")
            }
            return (lines + ["", "\(reply.explanation)"]).joined(separator: "\n")
        }
    }
}
