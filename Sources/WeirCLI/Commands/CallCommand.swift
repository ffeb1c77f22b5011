internal import ArgumentParser
internal import Foundation
internal import GRPCWire
internal import Messages
internal import Synchronization
internal import Upstream
internal import Weir

/// `weir call`
struct CallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call", abstract: "Calls a method or an endpoint with JSON.",
        discussion: """
            The command reads the method's types by server reflection. For a client-streaming \
            call, repeat --data for each request message, or give a file with one JSON document \
            a line: each line is sent when it is read. An endpoint called by name receives the \
            JSON of --data unchanged. Responses are written to standard output as they arrive, the \
            backend's name to standard error.

            Examples:
              weir call helloworld.Greeter/SayHello --data '{"name": "Ada"}'
              weir call helloworld.Greeter/SayHello --shard-key user-7 --data @ada.json
              weir call prices --data @request.json
            """)

    @Argument(
        help: "The method pkg.Service/Method, or the name of an endpoint.",
        completion: Completion.endpoints)
    var method: String

    @Option(
        help: ArgumentHelp(
            "A request message as JSON, or @FILE, or '-' for standard input.", valueName: "json"))
    var data: [String] = []

    /// The values of `--protocol`.
    enum CallProtocol: String, ExpressibleByArgument, CaseIterable {
        case grpc
        case grpcWeb = "grpc-web"
        case connect
    }

    @Option(
        name: .customLong("protocol"),
        help: ArgumentHelp(
            "grpc, grpc-web or connect, over HTTP/2 with protobuf.", valueName: "name"))
    var callProtocol = CallProtocol.grpc

    @Option(help: "The value of x-serve-shard-key. Weir routes the same key to the same backend.")
    var shardKey: String?

    @Option(help: ArgumentHelp("Request metadata; may be repeated.", valueName: "name=value"))
    var metadata: [String] = []

    @Option(
        help: "The deadline in seconds, 0.001 to 604800 (default: 60).",
        transform: Bounded.decimal(0.001...604_800))
    var timeout = 60.0

    @Option(
        help: ArgumentHelp(
            "The data address of the server (default: $WEIR_ADDRESS, or 127.0.0.1:8000).",
            valueName: "host:port"))
    var address: String?

    @OptionGroup var tls: DataTLSOptions

    @Flag(help: "Print each response message as one line of JSON.")
    var json = false

    /// The server limits responses; this only bounds the memory of the command.
    private static let maxResponseBytes = 1 << 30

    func validate() throws {
        for item in metadata where !item.contains("=") {
            throw ValidationError("invalid --metadata '\(item)': use NAME=VALUE")
        }
        for field in all(metadata).fields where !Self.isAllowed(field) {
            throw ValidationError(
                "invalid --metadata '\(field.name)': a name has the characters a-z 0-9 . _ - and "
                    + "is not one of HTTP or gRPC itself; a value has printable ASCII")
        }
        if let shardKey, shardKey.unicodeScalars.contains(where: \.isControl) {
            throw ValidationError(
                "invalid --shard-key '\(shardKey)': it contains a control character")
        }
    }

    func run() async throws {
        let address = try Address(
            ofServer: ("--address", address), variable: "WEIR_ADDRESS", default: "127.0.0.1:8000")
        Output.exitWhenUnread()
        try await reporting {
            let client = try WeirClient.forCommand(
                address, tls: tls.settings, maxMessageBytes: Self.maxResponseBytes)
            try await call(client)
            await client.close()
        }
    }

    private func call(_ client: WeirClient) async throws {
        guard method.contains("/") else { return try await callByName(client) }
        let parts = method.split(separator: "/").map(String.init)
        guard parts.count == 2 else {
            throw ValidationError("invalid method '\(method)': use pkg.Service/Method")
        }
        let schema = try await Self.describe(parts[0], client)
        guard let service = schema.services[parts[0]],
            let known = service.methods.first(where: { $0.name == parts[1] })
        else {
            let names = schema.services[parts[0]]?.methods.map(\.name) ?? []
            throw RPCError(
                .unimplemented,
                "\(parts[0]) has no method '\(parts[1])'; it has \(names.joined(separator: ", "))")
        }
        let transcoder = JSONTranscoder(schema: schema)
        let requests = try requests(for: known, transcoder)
        let isStream = known.clientStreams || known.serverStreams
        let call = try await client.open(
            "/\(parts[0])/\(parts[1])", options(isStream: isStream))
        // The server can answer before the last request, so both directions run at once.
        // Not awaited: a read of standard input can take longer than the call.
        let failure = SendFailure()
        Task { await Self.send(requests, call, failure) }
        do {
            while let reply = try await call.next() {
                try Output.print(
                    json: transcoder.json(from: reply, message: known.output)
                        .text(indent: json ? 0 : 2))
            }
        } catch {
            throw failure.error.withLock { $0 } ?? error
        }
        report(await call.trailingMetadata["x-serve-backend"])
    }

    /// Sends the requests, and cancels the call when one cannot be read.
    private static func send(
        _ requests: CallData, _ call: ClientCall, _ failure: SendFailure
    ) async {
        do {
            try await requests.forEach { try await call.send($0) }
            call.finish()
        } catch {
            failure.error.withLock { $0 = error }
            call.cancel()
        }
    }

    /// Why a request was not sent.
    private final class SendFailure: Sendable {
        let error = Mutex<(any Error)?>(nil)
    }

    private func callByName(_ client: WeirClient) async throws {
        guard data.count <= 1 else {
            throw FileError(
                description: "an endpoint called by name takes one request; got --data "
                    + "\(data.count) times")
        }
        let text = try CallData.content(of: data.first ?? "null")
        _ = try CallData.valid { try JSONValue(parsing: text) }
        let response = try await byName(client, text)
        let body = String(decoding: response.body, as: UTF8.self)
        if let value = try? JSONValue(parsing: body) {
            try Output.print(json: value.text(indent: json ? 0 : 2))
        } else {
            try Output.print(document: body)
        }
        report(response.backend)
    }

    private func byName(
        _ client: WeirClient, _ text: [UInt8]
    ) async throws -> Handle.Response {
        do {
            return try await Handle(client, method, options(isStream: false)).call(
                bytes: text, contentType: "application/json")
        } catch let error as RPCError {
            throw RPCError(error.code, error.message + Self.hint(for: error, method: method))
        }
    }

    /// What an error of a call by name means for a user who meant a method.
    static func hint(for error: RPCError, method: String) -> String {
        let isMethod = method.contains(".") && error.code == .notFound
        let isService =
            error.code == .unimplemented && error.message.contains("/weir.v1.Serve/Call")
        return isMethod || isService
            ? "; to call a gRPC method, use pkg.Service/Method, for example "
                + "helloworld.Greeter/SayHello" : ""
    }

    private func report(_ backend: String?) {
        if let backend { printError("answered by \(backend)") }
    }

    private func requests(
        for method: Schema.Method, _ transcoder: JSONTranscoder
    ) throws -> CallData {
        let values = data.isEmpty && !method.clientStreams ? ["{}"] : data
        guard values.count == 1 || method.clientStreams else {
            throw FileError(
                description: "\(method.name) takes one request; got --data \(values.count) times")
        }
        return try CallData(values, isStream: method.clientStreams) {
            try transcoder.bytes(from: $0, message: method.input)
        }
    }

    private func all(_ items: [String]) -> Metadata {
        var all = Metadata()
        for item in items {
            let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            all.add(String(pair[0]), String(pair[1]))
        }
        return all
    }

    /// Whether the field is sent.
    private static func isAllowed(_ field: Metadata.Field) -> Bool {
        Metadata.isValid(field) && !Metadata.isReserved(field.name)
    }

    private func options(isStream: Bool) -> WeirClient.CallOptions {
        var options = WeirClient.CallOptions(
            metadata: all(metadata), shardKey: shardKey, timeout: .seconds(timeout))
        options.clientProtocol =
            switch callProtocol {
            case .grpc: .grpc
            case .grpcWeb: .grpcWeb
            case .connect: .connect(isStream: isStream)
            }
        return options
    }

    /// Reads the description of a service by server reflection: v1, else v1alpha.
    private static func describe(_ service: String, _ client: WeirClient) async throws -> Schema {
        var failure: RPCError?
        for version in ReflectionDialog.services {
            do {
                return try await describe(service, by: version, client)
            } catch let error as RPCError where error.code == .unimplemented {
                failure = failure ?? error
            }
        }
        throw RPCError(
            .unimplemented, "the server has no reflection: \(failure?.message ?? "unimplemented")")
    }

    private static func describe(
        _ service: String, by version: String, _ client: WeirClient
    ) async throws -> Schema {
        let call = try await client.open(
            "/\(version)/ServerReflectionInfo", .init(timeout: .seconds(10)))
        var dialog = ReflectionDialog()
        try await call.send(try dialog.begin(service).serializedBytes())
        while !dialog.isDone {
            guard let bytes = try await call.next() else {
                throw RPCError(.internalError, "reflection sent no response")
            }
            let reply = try Grpc_Reflection_V1_ServerReflectionResponse(serializedBytes: bytes)
            let questions: [Grpc_Reflection_V1_ServerReflectionRequest]
            do throws(MessageError) {
                questions = try dialog.receive(reply)
            } catch {
                throw RPCError(
                    .notFound,
                    "the server does not describe the service '\(service)': \(error.description); "
                        + "check its name and --address, or give its backend the description with "
                        + "'weir backend update --descriptor-set'")
            }
            for question in questions { try await call.send(try question.serializedBytes()) }
        }
        call.finish()
        return try Schema(descriptorSet: dialog.descriptorSet)
    }
}
