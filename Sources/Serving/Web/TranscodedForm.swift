internal import GRPCWire
internal import Messages
internal import Observability
internal import Transcoding
internal import Transport

/// A request that a binding of `google.api.http` matches.
struct TranscodedRequest {
    let path: RequestPath
    /// Query parameters that are not fields of the message.
    let otherParameters: Set<String>
}

/// HTTP with JSON, by a binding of the method in `google.api.http`. The schema of the backend that
/// the call has gives the binding.
struct TranscodedForm: WebForm {
    let recordForm = CallRecord.Form.transcoded
    private let head: HTTPRequestHead
    private let path: RequestPath
    private let otherParameters: Set<String>
    private let limit: Int
    private var body: [UInt8] = []
    private var deframer: Deframer
    private var reply: TranscodedReply?
    /// The end of a successful response.
    private var completed: TranscodedReply.Output?
    /// The fields of a response: those of the head, and the name of the backend.
    private var fields: [HTTPFields.Field] = []
    private var backend: [HTTPFields.Field] = []
    /// The HTTP status of a request that cannot be converted.
    private var refusalStatus: Int?

    /// - Parameter limit: the largest body and the largest message.
    init(_ head: HTTPRequestHead, _ request: TranscodedRequest, limit: Int) {
        self.head = head
        path = request.path
        otherParameters = request.otherParameters
        self.limit = limit
        deframer = Deframer(limit: limit)
    }

    var needsSchema: Bool { true }
    var isStreamed: Bool { false }
    var heldBytes: Int { body.count + deframer.pendingBytes + (reply?.heldBytes ?? 0) }

    /// The deadline of the client in nanoseconds, or why it is invalid.
    var timeout: (nanoseconds: Int64?, error: RPCError?) {
        guard let text = head.fields.first(where: { $0.name == KnownHeader.timeout.name })?.value
        else { return (nil, nil) }
        if let timeout = Timeout.parse(Array(text.utf8).span) { return (timeout, nil) }
        let reason = "it has 1 to 8 digits and a unit of HMSmun"
        return (
            nil, RPCError(.invalidArgument, "invalid grpc-timeout \(text.quoted): \(reason)")
        )
    }

    // MARK: The request

    mutating func request(
        _ bytes: RawSpan, isLast: Bool, _ schema: MethodSchema?
    ) throws(RPCError) -> WebBytes {
        guard bytes.byteCount <= limit - body.count else {
            refusalStatus = 413
            throw HTTPRefusal.bodyTooLarge(limit: limit).error
        }
        body.append(bytes)
        guard isLast, let bindings = schema?.json.bindings else { return .bytes([]) }
        guard let rule = bindings.rule(head.method, path) else {
            refusalStatus = 404
            throw RPCError(
                .unimplemented,
                "the schema of the chosen backend has no google.api.http for "
                    + "\(head.method) \(head.target.path.quoted)")
        }
        reply = TranscodedReply(rule, bindings.schema, StreamForm(accept: accept))
        let frames = try frames(rule, bindings.schema)
        body = []
        return .bytes(frames)
    }

    private var accept: String { HTTPFields.list("accept", in: head.fields).joined(separator: ",") }

    private mutating func frames(
        _ rule: TranscodedRule, _ schema: Schema
    ) throws(RPCError) -> [UInt8] {
        let request = RequestBinding.Request(
            path: path, query: head.target.query,
            contentType: head.fields.first { $0.name == KnownHeader.contentType.name }?.value ?? "",
            body: body)
        let binding = RequestBinding(rule, schema, otherParameters: otherParameters)
        do throws(RequestBinding.Failure) {
            var frames: [UInt8] = []
            for message in try binding.messages(for: request) {
                guard let prefix = MessagePrefix(isCompressed: false, length: message.count) else {
                    continue
                }
                frames += prefix.bytes + message
            }
            return frames
        } catch {
            if case .unsupportedType = error { refusalStatus = 415 }
            throw RPCError(.invalidArgument, error.description)
        }
    }

    // MARK: The response

    mutating func began(_ head: WebHead) throws(RPCError) -> WebOutput {
        (fields, backend) = (head.fields, head.backend)
        return .nothing
    }

    mutating func response(
        _ bytes: RawSpan, _ schema: MethodSchema?
    ) throws(RPCError) -> WebBytes {
        var messages: [[UInt8]] = []
        var isCompressed = false
        do {
            try deframer.receive(bytes) { compressed, payload in
                isCompressed = isCompressed || compressed
                messages.append([UInt8](copying: payload))
            }
        } catch {
            throw RPCError(.internalError, "the backend's response has invalid framing: \(error)")
        }
        guard !isCompressed else {
            throw RPCError(.internalError, "a message of the backend is compressed, not requested")
        }
        var output = WebOutput.nothing
        for message in messages {
            guard let part = try reply?.received(message) else { continue }
            if let head = part.head { output.head = self.head(head, fields + backend) }
            output.body += part.body
        }
        return .output(output)
    }

    private func head(_ head: TranscodedReply.Head, _ fields: [HTTPFields.Field]) -> WebOutput.Head
    {
        WebOutput.Head(
            status: refusalStatus ?? head.code.httpStatus, contentType: head.contentType,
            fields: fields.filter { !Self.omitted.contains($0.name) })
    }

    /// Fields of the status, which the body contains.
    private static let omitted: Set<String> = [
        KnownHeader.contentType.name, ConnectError.detailsName, KnownHeader.acceptEncoding.name,
        KnownHeader.retryPushback.name,
    ]

    mutating func complete(_ schema: MethodSchema?) throws(RPCError) {
        guard var reply else { return }
        completed = reply.ended(.ok, "")
        self.reply = reply
        if let failure = reply.failure { throw failure }
    }

    mutating func end(_ end: WebEnd, _ schema: MethodSchema?) -> WebOutput {
        let details = end.trailers.first { $0.name == ConnectError.detailsName }?.value
        let code = end.error?.code ?? .ok
        let message = end.error?.message ?? ""
        let part: TranscodedReply.Output
        if let completed {
            part = completed
        } else if var reply {
            part = reply.ended(code, message, details: details.flatMap { Base64.decode($0.utf8) })
            self.reply = reply
        } else {
            part = TranscodedReply.failure(code, StatusJSON.json(code, message))
        }
        refusalStatus = refusalStatus ?? end.httpStatus
        var head = part.head.map { self.head($0, fields + end.headers + end.trailers) }
        let pushback = end.trailers.first { $0.name == KnownHeader.retryPushback.name }?.value
        head?.fields += WebHeaders.retryAfter(pushback)
        return WebOutput(
            head: head, body: part.body, isLast: part.ending != .open,
            isBroken: part.ending == .broken)
    }
}
