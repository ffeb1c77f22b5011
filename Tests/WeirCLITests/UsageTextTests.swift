internal import ArgumentParser
internal import GRPCWire
internal import Testing

@testable internal import WeirCLI

@Suite struct UsageTextTests {
    private static let long = String(repeating: " [--option <value>]", count: 5)

    @Test(
        "Options of a long usage line become one",
        arguments: [
            ("Usage: weir a\(long) <b>\nmore\(long)", "Usage: weir a [<options>] <b>\nmore\(long)"),
            ("USAGE: weir a <b> ...\(long) [<c>]", "USAGE: weir a <b> ... [<options>] [<c>]"),
            ("Usage: weir a [--b <b> ...]\(long)", "Usage: weir a [<options>]"),
            ("Usage: weir a\(long) [--unclosed", "Usage: weir a [<options>] "),
            ("Usage: weir a [--b <b>] <c>", "Usage: weir a [--b <b>] <c>"), ("", ""), ("[", "["),
        ])
    func collapsed(text: String, expected: String) {
        #expect(UsageText.collapsed(text) == expected)
    }

    @Test(
        "A negative number belongs to the option before it",
        arguments: [
            (["--wait", "-1"], ["--wait=-1"]), (["--data", "-1", "x"], ["--data=-1", "x"]),
            (["--a=1", "-1"], ["--a=1", "-1"]), (["-f", "-1"], ["-f", "-1"]),
            (["--data", "-"], ["--data", "-"]), (["--a", "-b"], ["--a", "-b"]),
            (["--", "--a", "-1"], ["--", "--a", "-1"]), (["-1"], ["-1"]), ([], []),
            (["--a", "--", "-1"], ["--a", "--", "-1"]),
        ] as [([String], [String])])
    func joined(arguments: [String], expected: [String]) {
        #expect(UsageText.joined(arguments) == expected)
    }

    @Test("Options before the command are explained")
    func order() {
        let unknown = "Error: Unknown option '--admin'"
        #expect(
            UsageText.order(unknown, ["--admin=a:1", "stats"])
                == "The options of a command follow it: weir COMMAND --admin ...")
        #expect(UsageText.order(unknown, ["stats", "--admni"]) == nil)
        #expect(UsageText.order("Error: other", ["--admin"]) == nil)
    }

    @Test("An error found after parsing has the usage of its command")
    func text() {
        let text = UsageText.text(
            ValidationError("--replicas requires a worker backend"),
            of: BackendCommand.Create.self, in: WeirCommand.self)
        #expect(text.hasPrefix("Error: --replicas requires a worker backend\nUsage: weir backend"))
        #expect(text.hasSuffix("  See 'weir backend create --help' for more information."))
    }

    @Test("Each command has examples, and lines of its help that fit 80 columns")
    func help() {
        func check(_ command: any ParsableCommand.Type) {
            let configuration = command.configuration
            let lines = configuration.discussion.split(separator: "\n")
            let name = Suggestion.name(of: command)
            #expect(lines.contains { $0 == "Example:" || $0 == "Examples:" }, "\(name)")
            // Paragraphs are wrapped; indented lines are not.
            #expect(lines.allSatisfy { !$0.hasPrefix(" ") || $0.count <= 80 }, "\(name)")
            configuration.subcommands.forEach(check)
        }
        check(WeirCommand.self)
    }

    @Test(
        "A call by name that meant a method is explained",
        arguments: [
            (StatusCode.notFound, "no endpoint 'a.B'", "a.B", true),
            (.notFound, "no endpoint 'a'", "a", false),
            (.unimplemented, "backend 'b' has no method '/weir.v1.Serve/Call'", "a", true),
            (.unimplemented, "no", "a", false), (.unavailable, "a.B", "a.B", false),
        ])
    func calls(code: StatusCode, message: String, method: String, isExplained: Bool) {
        let hint = CallCommand.hint(for: RPCError(code, message), method: method)
        #expect(hint.contains("pkg.Service/Method") == isExplained)
    }

    @Test("Help refers to the table of exit codes, which other texts and the table itself do not")
    func exitCodes() {
        #expect(UsageText.withExitCodes("OVERVIEW: a\n").hasSuffix("see 'weir --help'."))
        for text in ["", "0.1.0", "OVERVIEW: a\n\nExit codes:\n  0  success"] {
            #expect(UsageText.withExitCodes(text) == text)
        }
    }
}
