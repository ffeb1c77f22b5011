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
    /// An address given as an argument; an invalid one is a usage error.
    init(argument: String) throws {
        do throws(AddressError) {
            self = try Address(argument)
        } catch {
            throw ValidationError(error.description)
        }
    }
}

/// Runs the body of a command. Reports an error, and exits with a code that separates a rejected
/// request from an unreachable server.
func reporting<Answer>(_ body: () async throws -> Answer) async throws -> Answer {
    do {
        return try await body()
    } catch let error as RPCError {
        printError("\(error)")
        throw ExitCode(error.code == .unavailable ? EX_UNAVAILABLE : EXIT_FAILURE)
    } catch let error as LocatedError {
        printError("\(error.description)")
        throw ExitCode(EXIT_FAILURE)
    } catch let error as MessageError {
        printError("\(error.description)")
        throw ExitCode(EXIT_FAILURE)
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

    @Option(help: "Seconds between two outputs, 0.1 to 60.", transform: Bounded.decimal(0.1...60))
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

    var note: Weir_Admin_V1_ChangeNote {
        let process = ProcessInfo.processInfo
        return .init(
            author: author ?? process.environment["WEIR_AUTHOR"]
                ?? "\(process.userName)@\(process.hostName)",
            comment: comment ?? "")
    }
}
