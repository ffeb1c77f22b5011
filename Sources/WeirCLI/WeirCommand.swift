internal import ArgumentParser
internal import Foundation
internal import Weir

/// The exit codes of the table in the help of `weir`, besides those of ArgumentParser.
extension ExitCode {
    /// The answer is no.
    static let no = ExitCode(2)
    /// The server or its store cannot be reached.
    static let unavailable = ExitCode(EX_UNAVAILABLE)
}

/// `weir`: runs a server, and sends commands to a running server.
@main
struct WeirCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir",
        abstract: "Serves gRPC, and splits traffic between backends at run time.",
        discussion: """
            Start a server with 'weir serve --demo'; the other commands connect to its admin port.

            Examples:
              weir serve --demo
              weir call helloworld.Greeter/SayHello --data '{"name": "Ada"}'
              weir traffic set greeter greeter-v1=90% greeter-v2=10%
              weir stats --watch
              weir doctor

            Exit codes:
              0   success
              1   the server rejected the request, or something failed
              2   the answer is no: see 'weir apply --check', 'weir doctor',
                  'weir rollout status --wait', 'weir shadow report'
              64  the command line or a file is invalid
              69  the server or its store cannot be reached
              74  the output cannot be written
            """,
        version: version,
        subcommands: [
            ServeCommand.self, BackendCommand.self, EndpointCommand.self, TrafficCommand.self,
            ShadowCommand.self, RolloutCommand.self, FreezeCommand.self, ExplainCommand.self,
            StatsCommand.self, TapCommand.self, TraceCommand.self, CallCommand.self,
            ApplyCommand.self, ExportCommand.self, HistoryCommand.self, DiffCommand.self,
            RollbackCommand.self, FleetCommand.self, StateCommand.self, AccessCommand.self,
            DoctorCommand.self, CompletionCommand.self, VersionCommand.self,
        ])

    static var version: String {
        "\(WeirServer.version) (\(WeirServer.commit.map { "commit \($0)" } ?? "unknown commit"))"
    }

    static func main() async {
        ProcessSetup.fillStandardDescriptors()
        ProcessSetup.reportFailedWrites()
        do throws(Output.Failure) {
            try await run()
        } catch {
            // A reader that stops early, as in `weir history | head`, is not an error.
            if !error.cause.isClosedPipe {
                printError("cannot write standard output: \(error.cause)")
            }
            Foundation.exit(Output.Failure.exitCode.rawValue)
        }
    }

    private static func run() async throws(Output.Failure) {
        let arguments = Array(CommandLine.arguments.dropFirst())
        var parsed: (any ParsableCommand.Type)?
        do {
            var command = try await asyncParseAsRoot(UsageText.joined(arguments))
            parsed = type(of: command)
            if let option = RepeatedOptions.first(in: arguments, of: WeirCommand.self) {
                throw ValidationError("'\(option)' is given twice; give it once")
            }
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as Output.Failure {
            throw failure
        } catch let error as FileError {
            printError("\(error.description)")
            Foundation.exit(EX_USAGE)
        } catch {
            let code = exitCode(for: error)
            let text =
                if let error = error as? ValidationError, let parsed {
                    UsageText.text(error, of: parsed, in: WeirCommand.self)
                } else {
                    UsageText.collapsed(fullMessage(for: error))
                }
            if code == .success {
                // Help, the version, or a completion script.
                return try Output.write(text.isEmpty ? "" : UsageText.withExitCodes(text) + "\n")
            }
            if !text.isEmpty {
                ErrorOutput.write("\(UsageError.text(text, CommandLine.arguments))\n")
                if let order = UsageText.order(text, arguments) {
                    ErrorOutput.write("\(order.printable(limit: 200))\n")
                }
                if let command = Suggestion.command(CommandLine.arguments.dropFirst()) {
                    ErrorOutput.write("Did you mean '\(command)'?\n")
                }
            }
            Foundation.exit(code.rawValue)
        }
    }
}
