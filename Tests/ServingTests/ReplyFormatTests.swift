internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import TestSupport
internal import Testing

@testable internal import Serving

@Suite struct ReplyFormatTests {
    private static let json = MessageJSON(
        request: Weir_V1_CallRequest.self, reply: Weir_V1_CallResponse.self, descriptorSet: nil)
    private static let reply = Weir_V1_CallResponse(
        payload: Array(repeating: 7, count: 300), httpStatus: 201)

    @Test(
        "A reply has a prefix, and is JSON or compressed if the client accepts it",
        arguments: [false, true], [false, true])
    func writes(isJSON: Bool, isCompressed: Bool) throws {
        let format = ReplyFormat(json: isJSON ? Self.json : nil, isCompressed: isCompressed)
        var frame: [UInt8] = []
        try format.write(Self.reply, to: &frame)
        let serialized = try Self.reply.serializedBytes()
        #expect(try format.frame(of: serialized) == frame, "both ways write the same bytes")
        #expect(frame[0] == (isCompressed ? 1 : 0))
        #expect(frame[1..<5].reduce(0) { $0 << 8 | Int($1) } == frame.count - 5)
        var payload = Array(frame.dropFirst(5))
        if isCompressed {
            payload = try Gzip.decompress(payload.span.asBytes, limit: 10_000)
        }
        if isJSON { payload = try Self.json.request(ofReply: payload) }
        #expect(payload == serialized)
    }

    @Test(
        "The headers name the content type and the compression",
        arguments: [
            (false, false, "application/grpc", nil), (true, false, "application/grpc+json", nil),
            (false, true, "application/grpc", "gzip"),
            (true, true, "application/grpc+json", "gzip"),
        ] as [(Bool, Bool, String, String?)])
    func headers(isJSON: Bool, isCompressed: Bool, type: String, encoding: String?) {
        let format = ReplyFormat(json: isJSON ? Self.json : nil, isCompressed: isCompressed)
        let headers = format.headers
        let fields = Dictionary(
            uniqueKeysWithValues: headers.pairs.map { ($0.name, $0.value) })
        #expect(fields[":status"] == "200" && fields["content-type"] == type)
        #expect(fields["grpc-encoding"] == encoding)
        #expect(format.isPlain == (!isJSON && !isCompressed))
    }
}

extension MessageJSON {
    /// The protobuf of a reply in JSON.
    fileprivate func request(ofReply json: [UInt8]) throws -> [UInt8] {
        let reversed = MessageJSON(
            request: Weir_V1_CallResponse.self, reply: Weir_V1_CallResponse.self,
            descriptorSet: nil)
        let bytes = try reversed.request(from: json)
        return try Weir_V1_CallResponse(serializedBytes: bytes).serializedBytes()
    }
}
