internal import GRPCWire
internal import Observability
internal import Transport

/// gRPC-Web: frames as in gRPC; the trailers are the last frame, or header fields of a response
/// without a body.
///
/// Source: gRPC's `PROTOCOL-WEB.md`.
struct GRPCWebForm: WebForm {
    let recordForm = CallRecord.Form.grpcWeb
    private let responseType: WebContentType
    private var requestBody: WebRequestBody
    private var responseBody: WebResponseBody
    private var hasBegun = false

    /// - Parameter accept: the client's `accept`, which selects binary or text responses.
    init(
        _ contentType: WebContentType, accept: [String], encoding: MessageEncoding, limit: Int,
        limitName: StaticString
    ) {
        responseType = Self.responseType(of: contentType, accept)
        requestBody = WebRequestBody(
            contentType, encoding: encoding, limit: limit, limitName: limitName)
        responseBody = WebResponseBody(responseType, limit: limit)
    }

    private static func responseType(
        of contentType: WebContentType, _ accept: [String]
    ) -> WebContentType {
        let accepted = accept.compactMap { WebContentType($0.utf8)?.webProtocol }
        for case .grpcWeb(let isText) in accepted {
            // Text has only protobuf.
            guard !isText || contentType.codec == .proto else { continue }
            return WebContentType(.grpcWeb(isText: isText), contentType.codec)
        }
        return contentType
    }

    var needsSchema: Bool { responseType.codec == .json }
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
            fields.append(("grpc-encoding", head.encoding.rawValue))
        }
        return WebOutput(head: .init(contentType: responseType.text, fields: fields))
    }

    mutating func response(
        _ bytes: RawSpan, _ schema: MethodSchema?
    ) throws(RPCError) -> WebBytes {
        try responseBody.convert(bytes, schema)
    }

    mutating func end(_ end: WebEnd, _ schema: MethodSchema?) -> WebOutput {
        var status = [(name: "grpc-status", value: "\((end.error?.code ?? .ok).rawValue)")]
        if let message = end.error?.message, !message.isEmpty {
            status.append(("grpc-message", StatusMessage.encode(message)))
        }
        status += end.trailers
        guard hasBegun else {
            return WebOutput(
                head: .init(contentType: responseType.text, fields: end.headers + status),
                isLast: true)
        }
        return WebOutput(
            body: responseBody.encoded(GRPCWebTrailers.frame(status)), isLast: true)
    }
}
