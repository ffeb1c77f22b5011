internal import GRPCWire
internal import Messages
internal import Observability
internal import Transport

/// Connect with one message in each direction: the bodies are the messages, trailers are header
/// fields, and an error has an HTTP status and a body in JSON.
///
/// Source: "Connect Protocol Reference", "Unary RPCs".
struct ConnectUnaryForm: WebForm {
    let recordForm = CallRecord.Form.connect

    private let codec: MessageCodec
    private let isGet: Bool
    private let acceptsGzip: Bool
    private let limit: Int
    private let limitName: StaticString
    private var requestBody: WebRequestBody
    private var head = WebHead()
    /// The frames of the response.
    private var frames: [UInt8] = []
    /// The message of a complete response.
    private var message: (bytes: [UInt8], isCompressed: Bool) = ([], false)
    /// Whether the method cannot be called with GET.
    private var needsPost = false

    /// - Parameter acceptsGzip: whether the client accepts a compressed response.
    init(
        _ codec: MessageCodec, isGet: Bool, encoding: MessageEncoding, acceptsGzip: Bool,
        limit: Int, limitName: StaticString
    ) {
        self.codec = codec
        self.isGet = isGet
        self.acceptsGzip = acceptsGzip
        self.limit = limit
        self.limitName = limitName
        requestBody = WebRequestBody(
            WebContentType(.connectUnary, codec), encoding: encoding, limit: limit,
            limitName: limitName)
    }

    var needsSchema: Bool { codec == .json || isGet }
    var isStreamed: Bool { false }
    var heldBytes: Int { requestBody.heldBytes + frames.count }

    mutating func check(_ schema: MethodSchema) throws(RPCError) {
        guard isGet, schema.json.hasSideEffects else { return }
        needsPost = true
        throw RPCError(
            .unimplemented,
            "the method may have side effects, because its declaration lacks "
                + "idempotency_level = NO_SIDE_EFFECTS: use POST")
    }

    mutating func request(
        _ bytes: RawSpan, isLast: Bool, _ schema: MethodSchema?
    ) throws(RPCError) -> WebBytes {
        try requestBody.receive(bytes, isLast: isLast, schema)
    }

    mutating func began(_ head: WebHead) throws(RPCError) -> WebOutput {
        self.head = head
        return .nothing
    }

    mutating func response(
        _ bytes: RawSpan, _ schema: MethodSchema?
    ) throws(RPCError) -> WebBytes {
        let (most, overflow) = limit.addingReportingOverflow(MessagePrefix.byteCount)
        guard bytes.byteCount <= (overflow ? .max : most) - frames.count else {
            throw RPCError(
                .resourceExhausted,
                "the response is over the limit of \(limit) bytes (\(limitName))")
        }
        frames += [UInt8](copying: bytes)
        return .bytes([])
    }

    mutating func complete(_ schema: MethodSchema?) throws(RPCError) {
        message = try message(schema)
        frames = []
    }

    mutating func end(_ end: WebEnd, _ schema: MethodSchema?) -> WebOutput {
        var end = end
        if end.headers.isEmpty { end.headers = head.fields }
        guard end.error == nil else { return errorOutput(end) }
        var fields = Self.fields(end)
        if message.isCompressed { fields.append(("content-encoding", "gzip")) }
        return WebOutput(
            head: .init(contentType: WebContentType(.connectUnary, codec).text, fields: fields),
            body: message.bytes, isLast: true)
    }

    /// The only message of the response, in the codec of the client.
    private func message(
        _ schema: MethodSchema?
    ) throws(RPCError) -> (bytes: [UInt8], isCompressed: Bool) {
        var received: [(isCompressed: Bool, payload: [UInt8])] = []
        var deframer = Deframer(limit: .max)
        do {
            try deframer.receive(frames.rawSpan) { received.append(($0, [UInt8](copying: $1))) }
            try deframer.finish()
        } catch {
            throw RPCError(.internalError, "the response has invalid framing: \(error)")
        }
        guard let first = received.first, received.count == 1 else {
            throw RPCError(
                .unimplemented,
                "the response has \(received.count) messages, and not one: call a streaming method "
                    + "with \(WebContentType(.connectStream, codec).text)")
        }
        if codec == .proto, !first.isCompressed || acceptsGzip && head.encoding == .gzip {
            return (first.payload, first.isCompressed)
        }
        var body = WebResponseBody(WebContentType(.connectStream, codec), limit: limit)
        body.encoding = head.encoding
        let message = try body.messages(in: frames.rawSpan).first ?? []
        return (codec == .json ? try body.json(of: message, schema) : message, false)
    }

    private func errorOutput(_ end: WebEnd) -> WebOutput {
        let error = ConnectError(end)
        let status = end.httpStatus ?? ConnectError.httpStatus(of: error.code)
        let allow = needsPost ? [(name: "allow", value: "POST")] : []
        let pushback = end.trailers.first { $0.name == KnownHeader.retryPushback.name }?.value
        return WebOutput(
            head: .init(
                status: needsPost ? 405 : status, contentType: "application/json",
                fields: allow + WebHeaders.retryAfter(pushback) + Self.fields(end)),
            body: Array(error.json.utf8), isLast: true)
    }

    /// The fields of the response. The name of the backend is a header as in other responses, and
    /// a trailer as in other calls.
    private static func fields(_ end: WebEnd) -> [HTTPFields.Field] {
        let trailers = end.trailers.filter { $0.name != ConnectError.detailsName }
        var fields = end.headers + trailers.filter { $0.name == KnownHeader.backend.name }
        for trailer in trailers { fields.append(("trailer-\(trailer.name)", trailer.value)) }
        return fields
    }
}

/// Connect with any number of messages in each direction: enveloped as in gRPC; the last envelope
/// of the response contains the error and the trailers as JSON.
///
/// Source: "Connect Protocol Reference", "Streaming RPCs".
struct ConnectStreamForm: WebForm {
    let recordForm = CallRecord.Form.connect

    private let contentType: WebContentType
    private var requestBody: WebRequestBody
    private var responseBody: WebResponseBody
    private var hasBegun = false

    init(
        _ codec: MessageCodec, encoding: MessageEncoding, limit: Int, limitName: StaticString
    ) {
        contentType = WebContentType(.connectStream, codec)
        requestBody = WebRequestBody(
            contentType, encoding: encoding, limit: limit, limitName: limitName)
        responseBody = WebResponseBody(contentType, limit: limit)
    }

    var needsSchema: Bool { contentType.codec == .json }
    var isStreamed: Bool { true }
    var heldBytes: Int { requestBody.heldBytes + responseBody.heldBytes }

    mutating func request(
        _ bytes: RawSpan, isLast: Bool, _ schema: MethodSchema?
    ) throws(RPCError) -> WebBytes {
        try requestBody.receive(bytes, isLast: isLast, schema)
    }

    mutating func began(_ head: WebHead) throws(RPCError) -> WebOutput {
        hasBegun = true
        responseBody.encoding = head.encoding
        var fields = head.fields
        if !needsSchema, head.encoding != .identity {
            fields.append(("connect-content-encoding", head.encoding.rawValue))
        }
        return WebOutput(head: .init(contentType: contentType.text, fields: fields))
    }

    mutating func response(
        _ bytes: RawSpan, _ schema: MethodSchema?
    ) throws(RPCError) -> WebBytes {
        try responseBody.convert(bytes, schema)
    }

    mutating func end(_ end: WebEnd, _ schema: MethodSchema?) -> WebOutput {
        var metadata = Metadata()
        for field in end.trailers where field.name != ConnectError.detailsName {
            metadata.add(field.name, field.value)
        }
        let envelope = ConnectEnvelope.end(
            end.error == nil ? nil : ConnectError(end), metadata)
        let head = WebOutput.Head(contentType: contentType.text, fields: end.headers)
        return WebOutput(head: hasBegun ? nil : head, body: envelope, isLast: true)
    }
}

extension ConnectError {
    /// The trailer with the details of an error.
    static let detailsName = "grpc-status-details-bin"

    /// The error of a call, with the details of `google.rpc.Status`.
    init(_ end: WebEnd) {
        let encoded = end.trailers.first { $0.name == Self.detailsName }?.value
        let status = encoded.flatMap { Base64.decode($0.utf8) }
            .flatMap { try? Google_Rpc_Status(serializedBytes: $0) }
        self.init(
            end.error?.code ?? .unknown, end.error?.message ?? "",
            details: (status?.details ?? []).map { detail in
                let type = detail.typeUrl.split(separator: "/").last.map(String.init)
                return Detail(type: type ?? "", value: detail.value)
            })
    }
}
