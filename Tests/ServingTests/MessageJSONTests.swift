internal import GRPCWire
internal import Messages
internal import TestSupport
internal import Testing
internal import Transport

@testable internal import Serving

@Suite struct MessageJSONTests {
    private static let call = MessageJSON(
        request: Weir_V1_CallRequest.self, reply: Weir_V1_CallResponse.self, descriptorSet: nil)

    @Test("A request in JSON becomes the message, and the reply becomes JSON with default values")
    func converts() throws {
        let bytes = try Self.call.request(from: Array(#"{"httpMethod":"GET","path":"/a"}"#.utf8))
        let message = try Weir_V1_CallRequest(serializedBytes: bytes)
        #expect(message.httpMethod == "GET" && message.path == "/a" && message.query.isEmpty)
        let json = try Self.call.json(
            of: Weir_V1_CallResponse(payload: [1], httpStatus: 201).serializedBytes())
        let text = String(decoding: json, as: UTF8.self).filter { !$0.isWhitespace }
        #expect(text.contains(#""payload":"AQ==""#) && text.contains(#""httpStatus":201"#))
        #expect(text.contains(#""contentType":"""#), "a field with its default value")
    }

    @Test(
        "An invalid request is refused with the name of the field",
        arguments: [
            ("{", "JSON"), (#"{"httpMethod":1}"#, "http"), (#"{"unknown":1}"#, "unknown"),
            (#"{"payload":"*"}"#, "payload"), ("[]", "object"),
        ])
    func rejects(json: String, part: String) throws {
        let error = try #require(
            #expect(throws: RPCError.self) { try Self.call.request(from: Array(json.utf8)) })
        #expect(error.code == .invalidArgument)
        #expect(error.message.lowercased().contains(part.lowercased()), "\(error.message)")
    }

    @Test("A reply that is not the message of the method is an error of the server")
    func rejectsReply() {
        let error = #expect(throws: RPCError.self) { try Self.call.json(of: [0xff]) }
        #expect(error?.code == .internalError)
    }

    @Test("Without a descriptor, the error names protobuf as the alternative")
    func lacksDescriptor() {
        let raw = MessageJSON(
            request: RawMessage.self, reply: RawMessage.self, descriptorSet: nil)
        for _ in 0..<2 {
            let error = #expect(throws: RPCError.self) { try raw.request(from: Array("{}".utf8)) }
            #expect(error?.code == .unimplemented)
            #expect(error?.message.contains("send protobuf") == true)
        }
    }

    @Test("A call with application/grpc+json has JSON messages in both directions")
    func serves() throws {
        let loop = TestLoop()
        let service = Service.dynamic { request, _ in
            Weir_V1_CallResponse(payload: Array(request.path.utf8))
        }
        let path = "/weir.v1.Serve/Call"
        loop.install(routes: [path], HandlerBackend("b", services: [service]))
        let client = try TestClient(loop)
        let json = Array(#"{"path":"/a"}"#.utf8)
        let prefix = MessagePrefix(isCompressed: false, length: json.count)?.bytes ?? []
        let response = try client.request(
            [
                ":method": "POST", ":scheme": "http", ":path": path, ":authority": "x",
                "content-type": "application/grpc+json", "x-serve-endpoint": path,
            ], body: prefix + json)
        #expect(response[.contentType] == "application/grpc+json")
        #expect(response[.grpcStatus] == "0")
        #expect(response.text.contains(#""L2E=""#), "\(response)")
    }
}
