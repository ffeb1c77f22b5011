internal import Messages

/// Generates the Swift client of one service and the protocol to implement it, with a method for
/// each RPC.
struct ServiceCode {
    let service: Schema.Service
    let file: SwiftFile

    private var access: String { file.visibility.rawValue }

    var lines: [String] {
        let type = file.swiftType(service.fullName) + "Stub"
        var lines = [
            "/// Calls `\(service.fullName)`.", "\(access) struct \(type): Sendable {",
            "    private let client: WeirClient", "",
            "    \(access) init(_ client: WeirClient) { self.client = client }",
        ]
        for method in service.methods { lines += [""] + call(method).map { "    " + $0 } }
        return lines + ["}"]
    }

    private func call(_ method: Schema.Method) -> [String] {
        let name = SwiftName.field(method.name)
        let path = "\"/\(service.fullName)/\(method.name)\""
        let (request, reply) = (file.swiftType(method.input), file.swiftType(method.output))
        let options = "_ options: WeirClient.CallOptions = .init()"
        let comment = "/// `\(method.name)`"
        switch (method.clientStreams, method.serverStreams) {
        case (false, false):
            return [
                comment, "\(access) func \(name)(", "    _ request: \(request), \(options)",
                ") async throws -> \(reply) {",
                "    try await client.unary(\(path), request, options)",
                "}",
            ]
        case (false, true):
            return [
                comment + "; `receive` gets each reply.", "\(access) func \(name)(",
                "    _ request: \(request), \(options),",
                "    _ receive: (\(reply)) async throws -> Void", ") async throws {",
                "    try await client.serverStreaming(\(path), request, options, receive)", "}",
            ]
        case (true, _):
            return [
                comment + (method.serverStreams ? "" : "; `reply()` of the stream is its end."),
                "\(access) func \(name)(", "    \(options)",
                ") async throws -> ClientStream<\(request), \(reply)> {",
                "    try await client.stream(\(path), options)", "}",
            ]
        }
    }

    /// The protocol to implement, and the conversion of an implementation to a `Service`.
    var serverLines: [String] {
        let type = file.swiftType(service.fullName) + "Service"
        var lines = [
            "/// Implements `\(service.fullName)`. A method that throws an `RPCError` ends its",
            "/// call with that status.", "\(access) protocol \(type): Sendable {",
        ]
        for (index, method) in service.methods.enumerated() {
            if index > 0 { lines.append("") }
            lines += requirement(method).map { "    " + $0 }
        }
        lines += [
            "}", "", "extension \(type) {",
            "    /// The service, for a `HandlerBackend`.",
            "    \(access) var weirService: Service {",
            "        Service(\"\(service.fullName)\")",
        ]
        for method in service.methods { lines += registration(method).map { "            " + $0 } }
        return lines + ["    }", "}"]
    }

    private func requirement(_ method: Schema.Method) -> [String] {
        let name = SwiftName.field(method.name)
        let (request, reply) = (file.swiftType(method.input), file.swiftType(method.output))
        let input =
            method.clientStreams ? "_ requests: RequestStream<\(request)>" : "_ request: \(request)"
        let output = method.serverStreams ? ", _ replies: ReplyWriter<\(reply)>" : ""
        return [
            "/// `\(method.name)`", "func \(name)(",
            "    \(input)\(output), _ context: CallContext",
            ") async throws" + (method.serverStreams ? "" : " -> \(reply)"),
        ]
    }

    private func registration(_ method: Schema.Method) -> [String] {
        let name = SwiftName.field(method.name)
        let kind =
            switch (method.clientStreams, method.serverStreams) {
            case (false, false): "unary"
            case (false, true): "serverStreaming"
            case (true, false): "clientStreaming"
            case (true, true): "bidirectional"
            }
        let (request, reply) = (file.swiftType(method.input), file.swiftType(method.output))
        let input = method.clientStreams ? "RequestStream<\(request)>" : request
        let output = method.serverStreams ? ", replies: ReplyWriter<\(reply)>" : ""
        let arguments = method.serverStreams ? "request, replies, context" : "request, context"
        return [
            ".\(kind)(\"\(method.name)\") {",
            "    (request: \(input)\(output), context: CallContext) in",
            "    try await self.\(name)(\(arguments))", "}",
        ]
    }
}
