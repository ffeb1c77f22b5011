internal import GRPCWire
internal import Messages
internal import TestSupport
internal import Testing
internal import Transport

@testable internal import Serving

/// `grpc.reflection` on a connection without a socket.
@Suite struct ReflectionServiceTests {
    private typealias Request = Grpc_Reflection_V1_ServerReflectionRequest
    private typealias Response = Grpc_Reflection_V1_ServerReflectionResponse

    /// A board with the file of `weir.v1.Serve`, which imports no other file.
    private func board() throws -> ReflectionBoard {
        var schema = Schema()
        try schema.add(Weir_V1_CallRequest._file)
        let board = ReflectionBoard()
        board.set(schema, services: ["weir.v1.Serve", "a.B"])
        return board
    }

    private func ask(
        _ requests: [Request.OneOf_MessageRequest?], _ board: ReflectionBoard,
        version: String = "v1"
    ) throws -> [Response] {
        let loop = TestLoop()
        let services = HandlerBackend("weir", services: Service.reflection(board))
        let client = try TestClient(
            loop, port: ServedPort(services: services, plainHTTP: .endpoints))
        let stream = try client.open([
            ":method": "POST", ":scheme": "http", ":authority": "x",
            ":path": "/grpc.reflection.\(version).ServerReflection/ServerReflectionInfo",
            "content-type": ContentType.grpc,
        ])
        var body: [UInt8] = []
        for request in requests {
            let bytes = try Request(host: "h", messageRequest: request).serializedBytes()
            body += try #require(MessagePrefix(isCompressed: false, length: bytes.count)).bytes
            body += bytes
        }
        try client.send(body, on: stream, endStream: true)
        let answer = client.response(on: stream)
        #expect(answer[.grpcStatus] == "0")
        var reader = MessageReader(limit: 1 << 20)
        try reader.receive(answer.body.span.asBytes)
        var found: [Response] = []
        while let message = reader.take() {
            found.append(try Response(serializedBytes: message.content(limit: 1 << 20)))
        }
        return found
    }

    @Test("The services are listed in order, in both versions", arguments: ["v1", "v1alpha"])
    func lists(version: String) throws {
        let response = try #require(
            ask([.listServices("")], try board(), version: version).first)
        guard case .listServicesResponse(let list) = response.messageResponse else {
            Issue.record("no list: \(response)")
            return
        }
        #expect(list.service.map(\.name) == ["a.B", "weir.v1.Serve"])
        #expect(response.validHost == "h" && response.originalRequest?.host == "h")
    }

    @Test(
        "A file is found by its name and by each of its symbols",
        arguments: [
            .fileContainingSymbol("weir.v1.Serve"), .fileContainingSymbol("weir.v1.Serve.Call"),
            .fileContainingSymbol("weir.v1.CallRequest"),
            .fileByFilename("weir/v1/serve.proto"),
        ] as [Grpc_Reflection_V1_ServerReflectionRequest.OneOf_MessageRequest])
    func findsFile(request: Grpc_Reflection_V1_ServerReflectionRequest.OneOf_MessageRequest) throws
    {
        let response = try #require(ask([request], try board()).first)
        guard case .fileDescriptorResponse(let files) = response.messageResponse else {
            Issue.record("no file: \(response)")
            return
        }
        // The name of a file is the first field of its descriptor.
        let name = Array("weir/v1/serve.proto".utf8)
        #expect(files.fileDescriptorProto.count == 1)
        #expect(
            files.fileDescriptorProto.first?.starts(with: [0x0a, UInt8(name.count)] + name) == true)
    }

    @Test(
        "An unknown name is answered with NOT_FOUND, an empty request with INVALID_ARGUMENT",
        arguments: [
            (.fileByFilename("x.proto"), 5, "unknown file 'x.proto'"),
            (.fileContainingSymbol("x.Y"), 5, "unknown symbol 'x.Y'"),
            (.allExtensionNumbersOfType("x.Y"), 5, "unknown type 'x.Y'"),
            (
                .fileContainingExtension(.init(containingType: "x.Y", extensionNumber: 7)), 5,
                "unknown extension 7 of 'x.Y'"
            ), (nil, 3, "the request is empty"),
        ] as [(Grpc_Reflection_V1_ServerReflectionRequest.OneOf_MessageRequest?, Int32, String)])
    func reportsErrors(
        request: Grpc_Reflection_V1_ServerReflectionRequest.OneOf_MessageRequest?, code: Int32,
        message: String
    ) throws {
        // The stream continues after an error.
        let responses = try ask([request, .listServices("")], try board())
        #expect(responses.count == 2)
        guard case .errorResponse(let error) = responses.first?.messageResponse else {
            Issue.record("no error: \(responses)")
            return
        }
        #expect(error.errorCode == code && error.errorMessage == message)
    }

    @Test("A known type has no extensions, and a board without content has no services")
    func answersEmpty() throws {
        let response = try #require(
            ask([.allExtensionNumbersOfType("weir.v1.CallRequest")], try board()).first)
        guard case .allExtensionNumbersResponse(let numbers) = response.messageResponse else {
            Issue.record("no numbers: \(response)")
            return
        }
        #expect(numbers.baseTypeName == "weir.v1.CallRequest" && numbers.extensionNumber.isEmpty)
        let empty = try #require(ask([.listServices("")], ReflectionBoard()).first)
        #expect(empty.messageResponse == .listServicesResponse(.init()))
    }
}
