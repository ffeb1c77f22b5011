internal import GRPCWire
internal import Messages

/// The protocol of a client's call. All use HTTP/2 here, and protobuf.
package enum ClientProtocol: Equatable, Sendable {
    case grpc
    case grpcWeb
    /// - Parameter isStream: whether the method has a stream of requests or of replies.
    case connect(isStream: Bool)

    /// The `content-type` of requests and replies.
    var contentType: String {
        switch self {
        case .grpc: ContentType.grpc
        case .grpcWeb: WebContentType(.grpcWeb(isText: false), .proto).text
        case .connect(let isStream):
            WebContentType(isStream ? .connectStream : .connectUnary, .proto).text
        }
    }

    /// Whether requests have the prefix of gRPC's framing.
    var isFramed: Bool { self != .connect(isStream: false) }
}

/// Converts the response of gRPC-Web or Connect to gRPC's: framed messages, and a status.
///
/// ```
///   gRPC-Web        messages, then a frame with the trailers; or the status in the headers
///   Connect stream  messages, then an envelope with JSON: the error and the trailers
///   Connect unary   one message without framing, or JSON of the error with an HTTP status
/// ```
///
/// Sources: gRPC's `PROTOCOL-WEB.md`; "Connect Protocol Reference".
struct WebReply {
    /// The end of a call.
    struct Ending {
        /// Nil for OK.
        let error: RPCError?
        let trailers: Metadata
    }

    private let clientProtocol: ClientProtocol
    /// The largest message accepted.
    private let limit: Int
    private var httpStatus = 0
    private var pending: [UInt8] = []
    /// Trailers of a Connect call with one reply, which are in the headers.
    private var earlyTrailers = Metadata()
    private(set) var ending: Ending?

    init(_ clientProtocol: ClientProtocol, limit: Int) {
        self.clientProtocol = clientProtocol
        self.limit = limit
    }

    /// Reads the response headers.
    mutating func begin(
        status: Int, _ fields: [(name: String, value: String)]
    ) throws(RPCError) {
        httpStatus = status
        func value(_ name: String) -> String? { fields.first { $0.name == name }?.value }
        if clientProtocol == .grpcWeb, value("grpc-status") != nil {
            ending = Self.ending(of: fields)
            return
        }
        for (name, value) in fields where name.hasPrefix("trailer-") {
            earlyTrailers.add(String(name.dropFirst("trailer-".count)), value)
        }
        let type = value("content-type") ?? ""
        let isError = clientProtocol == .connect(isStream: false) && status != 200
        guard isError || status == 200 && isExpected(type) else {
            throw RPCError(
                StatusCode(httpStatus: status),
                "the server answered HTTP status \(status), content-type \(type.quoted)")
        }
        let encodings = ["content-encoding", "connect-content-encoding", "grpc-encoding"]
        for name in encodings {
            guard let encoding = value(name), encoding != "identity" else { continue }
            throw RPCError(
                .internalError, "the server uses the encoding \(encoding.quoted), not requested")
        }
    }

    private func isExpected(_ type: String) -> Bool {
        let name = type.prefix { $0 != ";" }.lowercased()
        return name == clientProtocol.contentType
            || clientProtocol == .grpcWeb && name == "application/grpc-web"
    }

    /// Reads bytes of the body.
    ///
    /// - Returns: the messages that they complete, with gRPC's framing.
    mutating func receive(_ bytes: RawSpan) throws(RPCError) -> [UInt8] {
        guard bytes.byteCount > 0 else { return [] }
        guard ending == nil else {
            throw RPCError(.internalError, "the server sent bytes after the status")
        }
        pending.append(bytes)
        guard clientProtocol.isFramed else {
            guard pending.count <= limit else { throw tooLarge(pending.count) }
            return []
        }
        var framed: [UInt8] = []
        var position = 0
        while pending.count - position >= MessagePrefix.byteCount {
            let flag = pending[position]
            let length = pending[position + 1..<position + MessagePrefix.byteCount].reduce(0) {
                $0 << 8 | Int($1)
            }
            guard length <= limit else { throw tooLarge(length) }
            let end = position + MessagePrefix.byteCount + length
            guard end <= pending.count else { break }
            if flag == 0 {
                framed += pending[position..<end]
            } else {
                try finish(flag, Array(pending[(end - length)..<end]))
                guard end == pending.count else {
                    throw RPCError(.internalError, "the server sent bytes after the trailers")
                }
            }
            position = end
        }
        pending.removeFirst(position)
        return framed
    }

    private func tooLarge(_ bytes: Int) -> RPCError {
        RPCError(
            .resourceExhausted, FramingError.tooLarge(bytes: bytes, limit: limit).description)
    }

    private mutating func finish(_ flag: UInt8, _ payload: [UInt8]) throws(RPCError) {
        switch (clientProtocol, flag) {
        case (.grpcWeb, GRPCWebTrailers.flag):
            guard let fields = GRPCWebTrailers.parse(payload) else {
                throw RPCError(.internalError, "the trailers of the server are invalid")
            }
            ending = Self.ending(of: fields)
        case (.connect, ConnectEnvelope.endFlag): ending = try Self.connectEnding(payload)
        default:
            throw RPCError(.internalError, "invalid flag \(flag) of a message of the server")
        }
    }

    /// The body has ended.
    ///
    /// - Returns: the only message of a Connect call, with gRPC's framing.
    mutating func end() throws(RPCError) -> [UInt8] {
        guard ending == nil else { return [] }
        guard !clientProtocol.isFramed else {
            throw RPCError(.unknown, "the response of the server has no status")
        }
        guard httpStatus == 200 else {
            let fallback = RPCError(
                StatusCode(httpStatus: httpStatus), "the server answered HTTP status \(httpStatus)")
            let json = try? JSONValue(parsing: pending)
            ending = Ending(
                error: json.map { Self.error(in: $0, or: fallback) } ?? fallback,
                trailers: earlyTrailers)
            return []
        }
        ending = Ending(error: nil, trailers: earlyTrailers)
        guard let prefix = MessagePrefix(isCompressed: false, length: pending.count) else {
            throw tooLarge(pending.count)
        }
        return prefix.bytes + pending
    }

    /// The status in the fields of gRPC-Web's trailers.
    private static func ending(of fields: [(name: String, value: String)]) -> Ending {
        var trailers = Metadata()
        for (name, value) in fields { trailers.add(name, value) }
        guard let text = trailers["grpc-status"],
            let code = DecimalNumber.parse(Array(text.utf8).span)
        else {
            return Ending(
                error: RPCError(.unknown, "the server sent no grpc-status"), trailers: trailers)
        }
        let message = StatusMessage.decode(trailers["grpc-message"] ?? "")
        let error =
            code == 0
            ? nil : RPCError(StatusCode(rawValue: code), message, metadata: trailers)
        return Ending(error: error, trailers: trailers)
    }

    /// The last envelope of a Connect stream.
    private static func connectEnding(_ payload: [UInt8]) throws(RPCError) -> Ending {
        guard case .object(let members)? = try? JSONValue(parsing: payload) else {
            throw RPCError(.internalError, "the end of the stream is not a JSON object")
        }
        var trailers = Metadata()
        if case .object(let fields)? = members.first(where: { $0.key == "metadata" })?.value {
            for case (let name, .array(let values)) in fields {
                for case .string(let value) in values { trailers.add(name, value) }
            }
        }
        let failure = members.first { $0.key == "error" }?.value
        let unknown = RPCError(.unknown, "the server sent an invalid error")
        return Ending(error: failure.map { error(in: $0, or: unknown) }, trailers: trailers)
    }

    /// The error of a Connect call in JSON.
    private static func error(in json: JSONValue, or fallback: RPCError) -> RPCError {
        guard case .object(let members) = json,
            case .string(let name)? = members.first(where: { $0.key == "code" })?.value,
            let code = ConnectError.code(named: name)
        else { return fallback }
        var message = ""
        if case .string(let text)? = members.first(where: { $0.key == "message" })?.value {
            message = text
        }
        return RPCError(code, message)
    }
}
