internal import GRPCWire
internal import Messages
internal import Transport

/// Converts a backend's response to a plain HTTP request. Checks its strings, because they become
/// header fields.
extension HTTPReply {
    /// Throws a refusal with status 502 that names the backend and the invalid field.
    init(
        _ response: Weir_V1_CallResponse, from backend: String, _ limits: Limits
    ) throws(HTTPRefusal) {
        func invalid(_ reason: String) -> HTTPRefusal {
            .invalidResponse(of: backend, reason)
        }
        let status = response.httpStatus == 0 ? 200 : response.httpStatus
        guard (200...599).contains(status) else {
            throw invalid("invalid http_status \(status): it must be 200 to 599")
        }
        let contentType = HTTPFields.trimmed(response.contentType)
        guard HTTPFields.isValue(contentType.utf8) else {
            throw invalid("content_type contains a control character")
        }
        var fields: [HTTPFields.Field] = []
        for header in response.headers {
            let name = header.name.quoted
            guard HTTPFields.isToken(header.name.utf8) else {
                throw invalid("the header name \(name) is not a token")
            }
            guard HTTPFields.isValue(header.value.utf8.trimmed) else {
                throw invalid("the value of header \(name) contains a control character")
            }
            fields.append((header.name.lowercased(), HTTPFields.trimmed(header.value)))
        }
        // Only Weir's refusals have gRPC's headers.
        fields = HTTPFields.forwarded(fields).filter { !$0.name.hasPrefix("grpc-") }
        let type = contentType.isEmpty ? Self.defaultContentType : contentType
        let size = HTTPFields.size(fields + [(KnownHeader.contentType.name, type)])
        guard size <= limits.maxResponseHeaderBytes else {
            throw invalid(
                "its headers have \(size) bytes, over the limit of "
                    + "\(limits.maxResponseHeaderBytes) (max-response-header-bytes)")
        }
        guard fields.count < limits.maxHeaderFields else {
            throw invalid(
                "it has \(fields.count + 1) header fields, over the limit of "
                    + "\(limits.maxHeaderFields) (max-header-fields)")
        }
        self.init(
            status: Int(status), contentType: type, headers: fields, body: response.payload)
    }

    private static let defaultContentType = "application/json"
}
