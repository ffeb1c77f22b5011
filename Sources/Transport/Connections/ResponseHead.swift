package import GRPCWire
package import HTTP2Session

/// The response headers or trailers that determine how a response is handled. Refers to fields of
/// the header block, which it does not contain, so that copies retain nothing.
package struct ResponseHead {
    private static let success = Array("200".utf8)
    private static let ok = Array("0".utf8)
    private static let grpc = Array(ContentType.grpc.utf8)

    /// `:status`; 0 in trailers.
    package private(set) var httpStatus = 0
    /// `grpc-status`; nil without the field, with an invalid value, or with several values.
    package private(set) var code: StatusCode?
    /// Whether `grpc-status` can be forwarded unchanged: one field, without leading zeros.
    package private(set) var hasCanonicalStatus = false

    private var isGRPC = false
    private var hasStatus = false
    private var messageField: HeaderBlock.Field?
    private var encodingField: HeaderBlock.Field?
    private var pushbackField: HeaderBlock.Field?
    private var contentTypeField: HeaderBlock.Field?

    /// Reads a header block.
    package init(_ headers: HeaderBlock) {
        for index in headers.fields.indices {
            let field = headers.fields[index]
            switch KnownHeader(rawValue: field.known) {
            case .status:
                httpStatus =
                    headers.value(of: field, equals: Self.success)
                    ? 200 : DecimalNumber.parse(headers.value(of: field)) ?? 0
            case .grpcStatus: readStatus(field, headers)
            case .grpcMessage: messageField = field
            case .encoding: encodingField = field
            case .retryPushback: pushbackField = field
            case .contentType:
                contentTypeField = field
                isGRPC =
                    headers.value(of: field, equals: Self.grpc)
                    || ContentType.isGRPC(headers.value(of: field))
            default: break
            }
        }
    }

    private mutating func readStatus(_ field: HeaderBlock.Field, _ headers: HeaderBlock) {
        defer { hasStatus = true }
        if !hasStatus, headers.value(of: field, equals: Self.ok) {
            hasCanonicalStatus = true
            code = .ok
            return
        }
        let digits = headers.value(of: field)
        let number = DecimalNumber.parse(digits)
        let isLeadingZero = digits.count > 1 && digits[0] == UInt8(ascii: "0")
        hasCanonicalStatus = !hasStatus && number != nil && !isLeadingZero
        let isConflict = hasStatus && number != code?.rawValue
        code = isConflict ? nil : number.map { StatusCode(rawValue: $0) }
    }

    /// `grpc-message`, decoded; empty without the field.
    package func message(in headers: HeaderBlock) -> String {
        messageField.map { StatusMessage.decode(headers.text($0)) } ?? ""
    }

    /// `grpc-encoding`; nil without the field.
    package func encoding(in headers: HeaderBlock) -> String? {
        encodingField.map { headers.text($0) }
    }

    /// `grpc-retry-pushback-ms`, 0 to `DecimalNumber.maximum` milliseconds; nil without the field,
    /// -1 for any other value, after which a client does not retry (gRFC A6).
    package func pushback(in headers: HeaderBlock) -> Int? {
        pushbackField.map { DecimalNumber.parse(headers.value(of: $0)) ?? -1 }
    }

    /// The error for response headers that are not gRPC, which names their sender; nil for gRPC.
    /// `grpc-status` takes precedence over the HTTP status (gRPC's `http-grpc-status-mapping.md`).
    package func refusal(
        _ sender: @autoclosure () -> String, in headers: HeaderBlock
    ) -> RPCError? {
        if code != nil || httpStatus == 200 && isGRPC { return nil }
        let type = contentTypeField.map { headers.quoted($0) } ?? "none"
        return RPCError(
            StatusCode(httpStatus: httpStatus),
            "\(sender()) answered HTTP status \(httpStatus), content-type \(type)")
    }
}
