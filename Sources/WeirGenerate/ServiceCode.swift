internal import Messages

/// Generates the Swift client of one service, with a method for each RPC.
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
}
