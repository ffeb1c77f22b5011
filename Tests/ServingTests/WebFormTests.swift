internal import GRPCWire
internal import Messages
internal import Testing
internal import Transport

@testable internal import Serving

@Suite struct WebFormTests {
    static let limit = 1_000
    /// JSON of `weir.v1.CallRequest` and `weir.v1.CallResponse`.
    static let schema = MethodSchema(
        json: MessageJSON(
            request: Weir_V1_CallRequest.self, reply: Weir_V1_CallResponse.self, descriptorSet: nil,
            path: .serveCall), ignoresUnknown: true)

    static func frame(_ payload: [UInt8], flag: UInt8 = 0) -> [UInt8] {
        var prefix = MessagePrefix(isCompressed: false, length: payload.count)?.bytes ?? []
        prefix[0] = flag
        return prefix + payload
    }

    static func form(
        _ type: String, encoding: MessageEncoding = .identity, acceptsGzip: Bool = false
    ) -> any WebForm {
        guard let contentType = WebContentType(type.utf8) else { preconditionFailure(type) }
        return switch contentType.webProtocol {
        case .grpcWeb:
            GRPCWebForm(
                contentType, accept: [], encoding: encoding, limit: limit, limitName: "limit")
        case .connectUnary:
            ConnectUnaryForm(
                contentType.codec, isGet: false, encoding: encoding, acceptsGzip: acceptsGzip,
                limit: limit, limitName: "limit")
        case .connectStream:
            ConnectStreamForm(
                contentType.codec, encoding: encoding, limit: limit, limitName: "limit")
        }
    }

    /// The gRPC frames of a request's body in pieces of one size, or the error.
    static func request(
        _ body: [UInt8], pieces size: Int, _ form: any WebForm
    ) -> Result<[UInt8], RPCError> {
        Result { () throws(RPCError) in
            var form = form
            let schema = form.needsSchema ? schema : nil
            var frames: [UInt8] = []
            var start = 0
            repeat {
                let piece = Array(body[start..<min(body.count, start + size)])
                start += size
                switch try form.request(
                    piece.span.asBytes, isLast: start >= body.count, schema)
                {
                case .same: frames += piece
                case .bytes(let bytes): frames += bytes
                case .output: Issue.record("a request has no output")
                }
            } while start < body.count
            return frames
        }
    }

    static let json = Array(#"{"path":"/a"}"#.utf8)
    static let proto = (try? Weir_V1_CallRequest(path: "/a").serializedBytes()) ?? []

    @Test(
        "A body becomes the same gRPC frames in pieces of any size",
        arguments: [
            ("application/grpc-web", frame([1, 2]) + frame([]), frame([1, 2]) + frame([])),
            (
                "application/grpc-web-text", Array(Base64.encode(frame([1]), padded: true).utf8),
                frame([1])
            ),
            ("application/grpc-web+json", frame(json) + frame(json), frame(proto) + frame(proto)),
            ("application/proto", [1, 2], frame([1, 2])), ("application/proto", [], frame([])),
            ("application/json", json, frame(proto)),
            ("application/connect+proto", frame([1]), frame([1])),
            ("application/connect+json", frame(json), frame(proto)),
            ("application/connect+json", [], []),
        ] as [(String, [UInt8], [UInt8])])
    func converts(type: String, body: [UInt8], frames: [UInt8]) throws {
        for size in 1...max(1, body.count + 1) {
            let result = Self.request(body, pieces: size, Self.form(type))
            #expect(try result.get() == frames, "pieces of \(size)")
        }
    }

    @Test("A compressed message is passed on, or decompressed for its conversion")
    func decompresses() throws {
        let gzip = Gzip.compress(Self.json.span.asBytes)
        let unary = Self.form("application/proto", encoding: .gzip)
        #expect(try Self.request(gzip, pieces: 7, unary).get() == Self.frame(gzip, flag: 1))
        // An empty body is not compressed.
        #expect(try Self.request([], pieces: 7, unary).get() == Self.frame([]))
        for (type, body) in [
            ("application/json", gzip), ("application/connect+json", Self.frame(gzip, flag: 1)),
            ("application/grpc-web+json", Self.frame(gzip, flag: 1)),
        ] {
            let form = Self.form(type, encoding: .gzip)
            #expect(try Self.request(body, pieces: 7, form).get() == Self.frame(Self.proto))
        }
    }

    @Test(
        "An invalid body is refused with the same error in pieces of any size",
        arguments: [
            ("application/grpc-web", [2, 0, 0, 0, 0], .invalidArgument, "flag 2"),
            ("application/grpc-web", [0, 0, 0, 0, 9], .invalidArgument, "9 bytes are missing"),
            ("application/grpc-web", [1, 0, 0, 0, 0], .internalError, "compressed"),
            ("application/grpc-web-text", Array("A".utf8), .invalidArgument, "base64"),
            ("application/grpc-web-text", Array("*AAA".utf8), .invalidArgument, "base64"),
            ("application/json", Array("{".utf8), .invalidArgument, "JSON"),
            ("application/json", [], .invalidArgument, "JSON"),
            ("application/connect+json", frame([]), .invalidArgument, "JSON"),
            (
                "application/proto", [UInt8](repeating: 1, count: limit + 1), .resourceExhausted,
                "limit"
            ),
            (
                "application/connect+json", frame([UInt8](repeating: 32, count: limit + 1)),
                .resourceExhausted, "limit"
            ),
        ] as [(String, [UInt8], StatusCode, String)])
    func refuses(type: String, body: [UInt8], code: StatusCode, part: String) {
        for size in [1, 2, 3, 5, body.count + 1] {
            let result = Self.request(body, pieces: size, Self.form(type))
            guard case .failure(let error) = result else {
                Issue.record("accepted: \(type)")
                continue
            }
            #expect(error.code == code)
            #expect(error.message.contains(part), "\(error.message)")
        }
    }

    @Test("A message at the limit is accepted, also after decompression; one byte more is not")
    func hasLimits() {
        for excess in [0, 1] {
            let bytes = [UInt8](repeating: 32, count: Self.limit - 2 + excess) + Array("{}".utf8)
            let gzip = Gzip.compress(bytes.span.asBytes)
            let results = [
                Self.request(bytes, pieces: 100, Self.form("application/json")),
                Self.request(gzip, pieces: 100, Self.form("application/json", encoding: .gzip)),
                Self.request(
                    Self.frame(gzip, flag: 1), pieces: 100,
                    Self.form("application/connect+json", encoding: .gzip)),
            ]
            for result in results { #expect(((try? result.get()) != nil) == (excess == 0)) }
        }
    }

    // MARK: Responses

    /// The head and the body of a response in pieces of one size.
    private static func response(
        _ frames: [UInt8]?, pieces size: Int = 3, encoding: MessageEncoding = .identity,
        _ end: WebEnd, _ form: any WebForm
    ) throws -> (head: WebOutput.Head?, body: [UInt8]) {
        var form = form
        let schema = form.needsSchema ? schema : nil
        var head: WebOutput.Head?
        var body: [UInt8] = []
        if let frames {
            let output = try form.began(WebHead(fields: [("a", "1")], encoding: encoding))
            head = output.head
            body += output.body
            var start = 0
            while start < frames.count {
                let piece = Array(frames[start..<min(frames.count, start + size)])
                switch try form.response(piece.span.asBytes, schema) {
                case .same: body += piece
                case .bytes(let bytes): body += bytes
                case .output(let output):
                    head = output.head ?? head
                    body += output.body
                }
                start += size
            }
        }
        var end = end
        if end.error == nil {
            do throws(RPCError) { try form.complete(schema) } catch { end.error = error }
        }
        let output = form.end(end, schema)
        #expect(output.isLast)
        #expect(head == nil || output.head == nil, "two heads")
        return (head ?? output.head, body + output.body)
    }

    private static let reply: [UInt8] = [0x0a, 1, 0x41]
    private static let end = WebEnd(trailers: [("b", "2")])
    private static let failed = WebEnd(
        error: RPCError(.notFound, "no ü"), trailers: [("b", "2")])

    @Test("gRPC-Web has its trailers in the last frame, or as headers without a body")
    func writesGRPCWeb() throws {
        let form = Self.form("application/grpc-web")
        let frames = Self.frame([1])
        let good = try Self.response(frames, Self.end, form)
        #expect(good.head?.status == 200 && good.head?.contentType == "application/grpc-web+proto")
        #expect(good.head?.fields.map(\.name) == ["a"])
        let trailers = GRPCWebTrailers.frame([("grpc-status", "0"), ("b", "2")])
        #expect(good.body == frames + trailers)
        let bad = try Self.response(nil, Self.failed, form)
        #expect(bad.body.isEmpty)
        #expect(
            bad.head?.fields.map { "\($0.name)=\($0.value)" }
                == ["grpc-status=5", "grpc-message=no %C3%BC", "b=2"])
        let text = try Self.response(frames, Self.end, Self.form("application/grpc-web-text"))
        var decoder = GRPCWebTextDecoder()
        #expect(try decoder.receive(text.body.span.asBytes) == good.body)
        try decoder.finish()
    }

    @Test("A unary response of Connect has its trailers as headers, and the message as its body")
    func writesConnectUnary() throws {
        let proto = try Self.response(
            Self.frame(Self.reply), Self.end, Self.form("application/proto"))
        #expect(proto.body == Self.reply && proto.head?.contentType == "application/proto")
        #expect(proto.head?.fields.map { "\($0.name)=\($0.value)" } == ["a=1", "trailer-b=2"])
        let json = try Self.response(
            Self.frame(Self.reply), Self.end, Self.form("application/json"))
        #expect(String(decoding: json.body, as: UTF8.self) == #"{"payload":"QQ=="}"#)
        let bad = try Self.response(nil, Self.failed, Self.form("application/json"))
        #expect(bad.head?.status == 404 && bad.head?.contentType == "application/json")
        #expect(
            String(decoding: bad.body, as: UTF8.self)
                == #"{"code":"not_found","message":"no ü"}"#)
        // A failure after the head has the metadata of the head.
        let late = try Self.response([], Self.failed, Self.form("application/json"))
        #expect(late.head?.fields.map(\.name) == ["a", "trailer-b"])
    }

    @Test("A compressed unary response is passed on only to a client that accepts it")
    func compressesUnary() throws {
        let gzip = Gzip.compress(Self.reply.span.asBytes)
        for accepts in [false, true] {
            let form = Self.form("application/proto", acceptsGzip: accepts)
            let response = try Self.response(
                Self.frame(gzip, flag: 1), encoding: .gzip, Self.end, form)
            #expect(response.body == (accepts ? gzip : Self.reply))
            let names = response.head?.fields.map(\.name) ?? []
            #expect(names.contains("content-encoding") == accepts)
        }
    }

    @Test(
        "A response that is not one message is an error of a unary call",
        arguments: [
            ([], "0 messages"), (frame([]) + frame([]), "2 messages"), ([0, 0], "framing"),
        ]
            as [([UInt8], String)])
    func refusesSeveral(frames: [UInt8], part: String) throws {
        let response = try Self.response(frames, Self.end, Self.form("application/proto"))
        #expect([500, 501].contains(response.head?.status))
        #expect(String(decoding: response.body, as: UTF8.self).contains(part))
    }

    @Test("A stream of Connect ends with an envelope that has the error and the metadata")
    func writesConnectStream() throws {
        let form = Self.form("application/connect+json")
        let frames = Self.frame(Self.reply)
        let good = try Self.response(frames, Self.end, form)
        let json = Self.frame(Array(#"{"payload":"QQ=="}"#.utf8))
        let end = Self.frame(Array(#"{"metadata":{"b":["2"]}}"#.utf8), flag: 2)
        #expect(good.body == json + end && good.head?.status == 200)
        let bad = try Self.response(nil, Self.failed, form)
        #expect(bad.head?.status == 200)
        #expect(String(decoding: bad.body, as: UTF8.self).contains(#""code":"not_found""#))
    }

    @Test("The details of an error are those of google.rpc.Status")
    func hasDetails() throws {
        let status = Google_Rpc_Status(
            code: 5, message: "m", details: [.init(typeUrl: "t.example/p.M", value: [0xff, 0xfe])])
        let end = WebEnd(
            error: RPCError(.notFound, "m"),
            trailers: [
                (ConnectError.detailsName, Base64.encode(try status.serializedBytes()))
            ])
        let response = try Self.response(nil, end, Self.form("application/json"))
        #expect(
            String(decoding: response.body, as: UTF8.self)
                == #"{"code":"not_found","message":"m","details":[{"type":"p.M","value":"//4"}]}"#)
        #expect(response.head?.fields.isEmpty == true)
    }
}
