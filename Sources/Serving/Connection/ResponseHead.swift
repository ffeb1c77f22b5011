package import GRPCWire
package import HTTP2Session

/// What response headers or trailers say about a call.
package struct ResponseHead {
    /// `:status`; 0 in trailers.
    package private(set) var httpStatus = 0
    /// `grpc-status`, or nil without a valid one.
    package private(set) var code: StatusCode?
    /// `grpc-message`, decoded.
    package var message: String {
        messageField.map { StatusMessage.decode(headers.text($0)) } ?? ""
    }
    /// `grpc-encoding`.
    package var encoding: String? { encodingField.map { headers.text($0) } }
    /// `grpc-retry-pushback-ms`; nil without one, negative when it is no number: don't retry.
    package var pushback: Int? {
        pushbackField.map { Int(headers.text($0)) ?? -1 }
    }

    private let headers: HeaderBlock
    private var isGRPC = false
    private var messageField: HeaderBlock.Field?
    private var encodingField: HeaderBlock.Field?
    private var pushbackField: HeaderBlock.Field?
    private var contentTypeField: HeaderBlock.Field?

    package init(_ headers: HeaderBlock) {
        self.headers = headers
        for field in headers.fields {
            switch KnownHeader(rawValue: field.known) {
            case .status: httpStatus = Self.number(headers.bytes[field.value]) ?? 0
            case .grpcStatus:
                code = Self.number(headers.bytes[field.value]).map { StatusCode(rawValue: $0) }
            case .grpcMessage: messageField = field
            case .encoding: encodingField = field
            case .retryPushback: pushbackField = field
            case .contentType:
                contentTypeField = field
                isGRPC = ContentType.isGRPC(headers.bytes[field.value])
            default: break
            }
        }
    }

    /// Why response headers are not gRPC's at all, in terms of who sent them; nil when they are.
    package func refusal(_ sender: String) -> RPCError? {
        if httpStatus == 200, isGRPC || code != nil { return nil }
        let type = contentTypeField.map { headers.text($0) } ?? "none"
        return RPCError(
            StatusCode(httpStatus: httpStatus),
            "\(sender) answered HTTP status \(httpStatus), content-type \(type)")
    }

    /// One to nine decimal digits.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard (1...9).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        return digits.reduce(0) { $0 * 10 + Int($1 - 48) }
    }
}
