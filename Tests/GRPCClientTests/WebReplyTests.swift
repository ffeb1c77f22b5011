internal import GRPCWire
internal import Testing

@testable internal import GRPCClient

@Suite struct WebReplyTests {
    private static let limit = 64

    /// The framed messages and the end of a response, whose body arrives in pieces of a size.
    private static func read(
        _ clientProtocol: ClientProtocol, _ body: [UInt8], pieces size: Int, status: Int = 200,
        fields: [(name: String, value: String)]? = nil
    ) -> String {
        var reply = WebReply(clientProtocol, limit: limit)
        var framed: [UInt8] = []
        do throws(RPCError) {
            try reply.begin(
                status: status, fields ?? [("content-type", clientProtocol.contentType)])
            var rest = body[...]
            while !rest.isEmpty {
                framed += try reply.receive(Array(rest.prefix(size)).span.asBytes)
                rest = rest.dropFirst(size)
            }
            framed += try reply.end()
        } catch {
            return "\(framed) threw \(error)"
        }
        let ending = reply.ending
        let trailers = (ending?.trailers.fields ?? []).map { "\($0.name)=\($0.value)" }
        return
            "\(framed) \(ending?.error.map { "\($0)" } ?? "OK") \(trailers.joined(separator: " "))"
    }

    private static func frame(_ flag: UInt8, _ payload: [UInt8]) -> [UInt8] {
        [flag, 0, 0, 0, UInt8(payload.count)] + payload
    }

    private static func frame(_ flag: UInt8, _ text: String) -> [UInt8] {
        frame(flag, Array(text.utf8))
    }

    private static let stream = ClientProtocol.connect(isStream: true)
    private static let unary = ClientProtocol.connect(isStream: false)

    @Test(
        "A response is read in pieces of any size",
        arguments: [
            (
                .grpcWeb,
                frame(0, [7]) + frame(0, []) + frame(0x80, "grpc-status: 0\r\nx-a: b\r\n"),
                "[0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0] OK grpc-status=0 x-a=b"
            ),
            (
                .grpcWeb, frame(0x80, "grpc-status:5\ngrpc-message: a%20b\n"),
                "[] NOT_FOUND: a b grpc-status=5 grpc-message=a%20b"
            ),
            (.grpcWeb, frame(0x80, "x: y\r\n"), "[] UNKNOWN: the server sent no grpc-status x=y"),
            (.grpcWeb, frame(0, [7]), "threw UNKNOWN: the response of the server has no status"),
            (.grpcWeb, [0, 0], "threw UNKNOWN: the response of the server has no status"),
            (.grpcWeb, frame(0x80, "no colon"), "threw INTERNAL: the trailers"),
            (.grpcWeb, frame(0x81, ""), "threw INTERNAL: invalid flag 129"),
            (.grpcWeb, frame(1, ""), "threw INTERNAL: invalid flag 1"),
            (.grpcWeb, frame(2, "{}"), "threw INTERNAL: invalid flag 2"),
            (
                .grpcWeb, frame(0x80, "grpc-status: 0\r\n") + frame(0, [1]),
                "threw INTERNAL: the server sent bytes after the"
            ),
            (
                stream, frame(0, [7]) + frame(2, #"{"metadata":{"a":["b","c"]}}"#),
                "[0, 0, 0, 0, 1, 7] OK a=b a=c"
            ), (stream, frame(2, "{}"), "[] OK "),
            (
                stream, frame(2, #"{"error":{"code":"not_found","message":"m"}}"#),
                "[] NOT_FOUND: m "
            ),
            (
                stream, frame(2, #"{"error":{"code":"x"}}"#),
                "[] UNKNOWN: the server sent an invalid"
            ),
            (stream, frame(2, #"{"error":7}"#), "[] UNKNOWN: the server sent an invalid error"),
            (stream, frame(2, "[]"), "threw INTERNAL: the end of the stream is not a JSON object"),
            (stream, frame(2, "{"), "threw INTERNAL: the end of the stream is not a JSON object"),
            (stream, frame(0x80, ""), "threw INTERNAL: invalid flag 128"),
            (stream, [], "threw UNKNOWN: the response of the server has no status"),
            (unary, [7, 8], "[0, 0, 0, 0, 2, 7, 8] OK "), (unary, [], "[0, 0, 0, 0, 0] OK "),
        ] as [(ClientProtocol, [UInt8], String)])
    func pieces(clientProtocol: ClientProtocol, body: [UInt8], expected: String) {
        for size in [1, 2, 3, 7, 1_000] {
            let found = Self.read(clientProtocol, body, pieces: size)
            #expect(found.contains(expected), "\(found)")
        }
    }

    @Test(
        "The head of a response is checked",
        arguments: [
            (.grpcWeb, 200, [("content-type", "text/html")], "content-type 'text/html'"),
            (.grpcWeb, 503, [("content-type", "text/html")], "UNAVAILABLE: the server answered"),
            (.grpcWeb, 200, [], "content-type ''"),
            (
                .grpcWeb, 200, [("content-type", "application/grpc-web"), ("grpc-status", "7")],
                "[] PERMISSION_DENIED content-type"
            ), (stream, 200, [("content-type", "application/proto")], "application/proto"),
            (
                stream, 200,
                [
                    ("content-type", "application/connect+proto"),
                    ("connect-content-encoding", "br"),
                ], "the encoding 'br', not requested"
            ), (unary, 404, [], "UNIMPLEMENTED: the server answered HTTP status 404"),
            (
                unary, 200, [("content-type", "application/proto"), ("trailer-x", "y")],
                "[0, 0, 0, 0, 0] OK x=y"
            ),
        ] as [(ClientProtocol, Int, [(String, String)], String)])
    func heads(
        clientProtocol: ClientProtocol, status: Int, fields: [(String, String)], expected: String
    ) {
        let found = Self.read(
            clientProtocol, [], pieces: 1, status: status,
            fields: fields.map { (name: $0.0, value: $0.1) })
        #expect(found.contains(expected), "\(found)")
    }

    @Test("The error of a Connect call with one reply is JSON")
    func unaryErrors() {
        func read(_ body: String) -> String {
            Self.read(
                Self.unary, Array(body.utf8), pieces: 3, status: 404,
                fields: [("content-type", "application/json")])
        }
        #expect(read(#"{"code":"not_found","message":"m"}"#) == "[] NOT_FOUND: m ")
        #expect(read(#"{"code":"resource_exhausted"}"#).hasPrefix("[] RESOURCE_EXHAUSTED"))
        #expect(read("<html>").contains("HTTP status 404"))
        #expect(read(#"{"code":5}"#).contains("HTTP status 404"))
    }

    @Test("The size of a message is bounded")
    func bound() {
        let most = [UInt8](repeating: 1, count: Self.limit)
        for (clientProtocol, end) in [
            (ClientProtocol.grpcWeb, Self.frame(0x80, "grpc-status: 0\r\n")),
            (Self.stream, Self.frame(2, "{}")),
        ] {
            let accepted = Self.read(clientProtocol, Self.frame(0, most) + end, pieces: 9)
            #expect(accepted.contains("OK"), "\(accepted)")
            let refused = Self.read(clientProtocol, Self.frame(0, most + [1]) + end, pieces: 9)
            #expect(refused.contains("RESOURCE_EXHAUSTED: the message has 65 bytes"), "\(refused)")
            let longest = Self.read(clientProtocol, [0, 255, 255, 255, 255], pieces: 1)
            #expect(longest.contains("RESOURCE_EXHAUSTED"), "\(longest)")
        }
        #expect(Self.read(Self.unary, most, pieces: 9).contains("OK"))
        #expect(Self.read(Self.unary, most + [1], pieces: 9).contains("RESOURCE_EXHAUSTED"))
    }
}
