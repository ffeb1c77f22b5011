internal import GRPCWire
internal import Messages

@testable internal import Serving

/// The framing and the texts of gRPC-Web and Connect.
enum WebFuzz {
    /// Whatever the split, base64 decodes to the same bytes. What is accepted can be written again.
    static func feed(_ bytes: [UInt8]) {
        let cut = bytes.first.map { min(Int($0), bytes.count) } ?? 0
        let whole = decode([bytes[...]])
        precondition(decode([bytes[..<cut], bytes[cut...]]) == whole)
        precondition(decode(bytes.indices.map { bytes[$0...$0] }) == whole)

        let messages = scan([bytes[...]])
        precondition(scan([bytes[..<cut], bytes[cut...]]) == messages)
        precondition(scan(bytes.indices.map { bytes[$0...$0] }) == messages)

        if let fields = GRPCWebTrailers.parse(bytes) {
            let frame = GRPCWebTrailers.frame(fields.filter { !$0.value.contains("\n") })
            precondition(frame.first == GRPCWebTrailers.flag)
            precondition(GRPCWebTrailers.parse(frame.dropFirst(MessagePrefix.byteCount)) != nil)
        }
        let text = String(decoding: bytes, as: UTF8.self)
        _ = try? ConnectGet(query: text)
        _ = WebContentType(bytes)
        precondition(ConnectTimeout.parse(bytes).map { $0 >= 0 } != false)
        let error = ConnectError(.internalError, text, details: [.init(type: text, value: bytes)])
        var metadata = Metadata()
        metadata.add(text, text)
        precondition(ConnectEnvelope.end(error, metadata).first == ConnectEnvelope.endFlag)
    }

    /// The framing does not depend on the pieces in which a body arrives.
    private static func scan(_ pieces: [ArraySlice<UInt8>]) -> Bool? {
        var scanner = FrameScanner()
        for piece in pieces {
            guard (try? scanner.scan(Array(piece).span.asBytes)) != nil else { return nil }
        }
        return (try? scanner.finish()).map { scanner.hasCompressed }
    }

    /// The largest message of the forms.
    private static let limit = 200

    private static let schema = MethodSchema(
        json: MessageJSON(
            request: Weir_V1_CallRequest.self, reply: Weir_V1_CallResponse.self, descriptorSet: nil,
            path: .serveCall), ignoresUnknown: true)

    /// The first byte selects the form, the second one the size of the pieces. The gRPC frames of a
    /// request do not depend on the pieces. Any response can be ended.
    static func convert(_ bytes: [UInt8]) {
        guard bytes.count > 1 else { return }
        let (kind, size, body) = (Int(bytes[0]), Int(bytes[1] % 16) + 1, Array(bytes.dropFirst(2)))
        let encoding: MessageEncoding = kind & 8 == 0 ? .identity : .gzip
        func form() -> any WebForm { Self.form(kind & 7, encoding) }
        let whole = request(body, pieces: body.count + 1, form())
        precondition(request(body, pieces: size, form()) == whole, "a request depends on pieces")
        if let whole { precondition(scan([whole[...]]) != nil, "a request is not of gRPC") }
        var answering = form()
        _ = try? answering.began(WebHead(encoding: encoding))
        _ = try? answering.response(body.span.asBytes, schema)
        precondition(answering.heldBytes <= limit + MessagePrefix.byteCount, "no bound")
        precondition(answering.end(WebEnd(), schema).isLast, "a response has no end")
    }

    private static func form(_ kind: Int, _ encoding: MessageEncoding) -> any WebForm {
        let types: [WebContentType] = [
            .init(.grpcWeb(isText: false), .proto), .init(.grpcWeb(isText: true), .proto),
            .init(.grpcWeb(isText: false), .json), .init(.connectUnary, .proto),
            .init(.connectUnary, .json), .init(.connectStream, .proto),
            .init(.connectStream, .json), .init(.connectUnary, .json),
        ]
        let type = types[kind]
        return switch type.webProtocol {
        case .grpcWeb:
            GRPCWebForm(type, accept: [], encoding: encoding, limit: limit, limitName: "limit")
        case .connectUnary:
            ConnectUnaryForm(
                type.codec, isGet: kind == 7, encoding: encoding, acceptsGzip: true, limit: limit,
                limitName: "limit")
        case .connectStream:
            ConnectStreamForm(type.codec, encoding: encoding, limit: limit, limitName: "limit")
        }
    }

    private static func request(
        _ body: [UInt8], pieces size: Int, _ form: any WebForm
    ) -> [UInt8]? {
        var form = form
        var frames: [UInt8] = []
        var start = 0
        repeat {
            let piece = Array(body[start..<min(body.count, start + size)])
            start += size
            switch try? form.request(piece.span.asBytes, isLast: start >= body.count, schema) {
            case .same: frames += piece
            case .bytes(let bytes): frames += bytes
            case .output: preconditionFailure("a request has no output")
            case nil: return nil
            }
        } while start < body.count
        return frames
    }

    private static func decode(_ pieces: [ArraySlice<UInt8>]) -> [UInt8]? {
        var decoder = GRPCWebTextDecoder()
        var output: [UInt8] = []
        for piece in pieces {
            guard let part = try? decoder.receive(Array(piece).span.asBytes) else { return nil }
            output += part
        }
        return (try? decoder.finish()).map { output }
    }
}
