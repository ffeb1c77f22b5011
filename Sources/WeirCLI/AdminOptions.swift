internal import ArgumentParser
internal import Foundation
internal import GRPCWire
internal import Messages
internal import Serving
internal import Synchronization
internal import Weir

/// The options of every command that connects to a server: the connection and the output form.
struct AdminOptions: ParsableArguments {
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    @Flag(help: "Print JSON for programs.")
    var json = false

    /// A call of the admin service: a method of the stub with the given options.
    typealias Call<Reply> = (Weir_Admin_V1_AdminStub, WeirClient.CallOptions) async throws -> Reply

    /// Calls a method of the admin service; reports an error and ends the command.
    func call<Reply>(_ call: Call<Reply>) async throws -> Reply {
        try await reporting { try await ask(call) }
    }

    /// Calls a method of the admin service; warns when the response may be stale.
    func ask<Reply>(_ call: Call<Reply>) async throws -> Reply {
        let client = try connection.client
        defer { Task { await client.close() } }
        var options = WeirClient.CallOptions(timeout: .seconds(15))
        options.receiveTrailers = { trailers in
            guard let reason = trailers["x-weir-stale"].map(StatusMessage.decode) else { return }
            printError("warning: this may be stale: \(reason)")
        }
        return try await call(Weir_Admin_V1_AdminStub(client), options)
    }

    /// Prints a message as JSON, or as the text that the closure returns.
    func show<Message: ProtobufMessage>(
        _ message: Message, _ text: (Message) -> TerminalText
    ) throws {
        try json ? Output.print(json: Self.json(message)) : Output.print(text(message))
    }

    /// A message of the admin service as JSON.
    static func json<Message: ProtobufMessage>(
        _ message: Message, indent: Int = 2
    ) throws -> String {
        var schema = Schema()
        try schema.add(Message._file)
        let transcoder = JSONTranscoder(schema: schema, printsDefaults: true)
        let name = Message.messageName ?? ""
        return try transcoder.json(from: try message.serializedBytes(), message: name)
            .text(indent: indent)
    }
}

extension Address {
    /// An address given as an argument or a variable; an invalid one is a usage error.
    ///
    /// - Parameter name: the option or the variable.
    init(argument: String, of name: String) throws {
        do throws(AddressError) {
            self = try Address(argument)
        } catch {
            let scheme = argument.firstRange(of: "://").map { String(argument[..<$0.upperBound]) }
            let hint = scheme.map { "; omit \($0.printable(limit: 20))" } ?? ""
            throw ValidationError("\(name): \(error.description)\(hint)")
        }
    }

    /// The address of a server, from an option, or else from a variable.
    init(ofServer option: (name: String, value: String?), variable: String, default usual: String)
        throws
    {
        if let value = option.value {
            try self.init(argument: value, of: option.name)
        } else {
            try self.init(argument: Variable.value(variable) ?? usual, of: variable)
        }
    }
}

/// Runs the body of a command. Reports an error, and exits with a code that separates a rejected
/// request from an unreachable server.
func reporting<Answer>(_ body: () async throws -> Answer) async throws -> Answer {
    do {
        return try await body()
    } catch let error as RPCError {
        printError("\(inOptions(error))\(hint(for: error))")
        throw error.code == .unavailable ? ExitCode.unavailable : .failure
    } catch let error as LocatedError {
        printError("\(error.description)")
        throw ExitCode.failure
    } catch let error as MessageError {
        printError("\(error.description)")
        throw ExitCode.failure
    }
}

/// The options that are fields with another name.
private let optionNames = [
    "revert_after": "--for", "confirm_within": "--confirm-within", "note.author": "--author",
    "note.comment": "--comment", "expected_revision": "--expected-revision",
]

/// The error with the name of the tool's option, where it begins with that of a field.
func inOptions(_ error: RPCError) -> RPCError {
    guard let field = error.field, let option = optionNames[field],
        error.message.hasPrefix("\(field): ")
    else { return error }
    return RPCError(error.code, option + error.message.dropFirst(field.count))
}

/// Which option of the tool helps against an error; empty if none is known.
func hint(for error: RPCError) -> String {
    let hints: [(code: StatusCode, text: String, hint: String)] = [
        (
            .unimplemented, "/weir.admin.v1.Admin/",
            "this is not an admin port: check --admin and WEIR_ADMIN (8001 by default)"
        ),
        (
            .unavailable, "certificate is not trusted",
            "name its authority with --admin-tls-ca (WEIR_ADMIN_TLS_CA), or --tls-ca of 'weir call'"
        ),
        (
            .unavailable, "certificate is for another name",
            "name it with --admin-tls-server-name, or --tls-server-name of 'weir call'"
        ),
        (
            .unavailable, "it requires TLS",
            "use --admin-tls or --admin-tls-ca, or --tls-ca of 'weir call'"
        ),
        (
            .unauthenticated, "send a token",
            "the tool sends WEIR_TOKEN or the content of --token-file"
        ),
    ]
    let found = hints.first { $0.code == error.code && error.message.contains($0.text) }
    return found.map { "; \($0.hint)" } ?? ""
}

/// Variables of the environment. An empty one counts as unset.
enum Variable {
    static func value(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// An error in a file, an option or a variable, with its location.
struct LocatedError: Error {
    let description: String
    /// The rule of the server that rejected the request; nil if no rule did.
    var reason: String?
}

private let warned = Mutex<Set<String>>([])

/// Writes each warning to standard error once, because a command may read a file for each call.
func warnOnce(_ warnings: [String]) {
    for warning in warnings where warned.withLock({ $0.insert(warning).inserted }) {
        printError("warning: \(warning)")
    }
}

/// The options of commands that can repeat their output.
struct WatchOptions: ParsableArguments {
    @Flag(help: "Repeat the output until Ctrl-C.")
    var watch = false

    @Option(
        help: "Seconds between two outputs, 0.1 to 60 (default: 1).",
        transform: Bounded.decimal(0.1...60))
    var interval = 1.0

    @Option(
        help: "Exit after this many outputs, 1 to 2147483647.",
        transform: Bounded.whole(1...Int32.max))
    var count: Int32?
}

/// The options of commands that change the state.
struct ChangeOptions: ParsableArguments {
    @Flag(help: "Show what the change would do without making it.")
    var dryRun = false

    @Option(
        help: "Reject the change unless this is the current revision.",
        transform: Bounded.whole(0...UInt64.max))
    var expectedRevision: UInt64?

    @Option(
        help: "The author of the change, for the history (default: $WEIR_AUTHOR, or user@host).")
    var author: String?

    @Option(help: "The reason for the change, for the history.")
    var comment: String?

    /// The end of the output of a change that is not made.
    var remark: TerminalText { dryRun ? Style.dim("\n(nothing has changed)") : "" }

    var note: Weir_Admin_V1_ChangeNote {
        let process = ProcessInfo.processInfo
        return .init(
            author: author ?? Variable.value("WEIR_AUTHOR")
                ?? "\(process.userName)@\(process.hostName)",
            comment: comment ?? "")
    }
}
