internal import GRPCWire
package import Messages
internal import Synchronization

/// The content of server reflection, replaced when the backends change.
package final class ReflectionBoard: Sendable {
    fileprivate struct Content {
        var schema = Schema()
        var services: [String] = []
    }

    private let content = Mutex(Content())
    private let prepare = Mutex<(@Sendable () async -> Void)?>(nil)

    package init() {}

    /// Sets what runs before each answer: it may read what the content still lacks.
    package func beforeAnswers(_ body: @escaping @Sendable () async -> Void) {
        prepare.withLock { $0 = body }
    }

    fileprivate func prepared() async -> Content {
        if let prepare = prepare.withLock({ $0 }) { await prepare() }
        return current
    }

    /// - Parameter services: the full names of the services that the port answers.
    package func set(_ schema: Schema, services: [String]) {
        content.withLock { $0 = Content(schema: schema, services: services.sorted()) }
    }

    fileprivate var current: Content { content.withLock { $0 } }
}

extension Service {
    /// `grpc.reflection.v1.ServerReflection`, and `v1alpha`, whose messages are the same on the
    /// wire. Source: gRPC's server-reflection document.
    package static func reflection(_ board: ReflectionBoard) -> [Service] {
        ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"].map {
            Service($0).bidirectional("ServerReflectionInfo") {
                (
                    requests: RequestStream<Grpc_Reflection_V1_ServerReflectionRequest>,
                    replies: ReplyWriter<Grpc_Reflection_V1_ServerReflectionResponse>, _
                ) in
                for try await request in requests {
                    try await replies.send(answer(request, await board.prepared()))
                }
            }
        }
    }

    private static func answer(
        _ request: Grpc_Reflection_V1_ServerReflectionRequest, _ content: ReflectionBoard.Content
    ) -> Grpc_Reflection_V1_ServerReflectionResponse {
        var response = Grpc_Reflection_V1_ServerReflectionResponse(
            validHost: request.host, originalRequest: request)
        let schema = content.schema
        switch request.messageRequest {
        case .listServices:
            response.messageResponse = .listServicesResponse(
                .init(service: content.services.map { .init(name: $0) }))
        case .fileByFilename(let name):
            response.messageResponse = files(schema, name, missing: "file '\(name)'")
        case .fileContainingSymbol(let symbol):
            response.messageResponse = files(
                schema, schema.fileBySymbol[symbol], missing: "symbol '\(symbol)'")
        case .allExtensionNumbersOfType(let type) where schema.message(named: type) != nil:
            let numbers = schema.extensionFiles[type]?.keys.sorted() ?? []
            response.messageResponse = .allExtensionNumbersResponse(
                .init(baseTypeName: type, extensionNumber: numbers.map { Int32(clamping: $0) }))
        case .allExtensionNumbersOfType(let type):
            response.messageResponse = missing("type '\(type)'")
        case .fileContainingExtension(let request):
            let (type, number) = (request.containingType, request.extensionNumber)
            response.messageResponse = files(
                schema, schema.extensionFiles[type]?[Int(number)],
                missing: "extension \(number) of '\(type)'")
        case nil:
            response.messageResponse = .errorResponse(
                .init(
                    errorCode: Int32(StatusCode.invalidArgument.rawValue),
                    errorMessage: "the request is empty"))
        }
        return response
    }

    private static func files(
        _ schema: Schema, _ name: String?, missing what: String
    ) -> Grpc_Reflection_V1_ServerReflectionResponse.OneOf_MessageResponse {
        guard let name, schema.files[name] != nil else { return missing(what) }
        return .fileDescriptorResponse(.init(fileDescriptorProto: schema.closure(of: name)))
    }

    private static func missing(
        _ what: String
    ) -> Grpc_Reflection_V1_ServerReflectionResponse.OneOf_MessageResponse {
        .errorResponse(
            .init(
                errorCode: Int32(StatusCode.notFound.rawValue),
                errorMessage: "unknown \(what)"))
    }
}
