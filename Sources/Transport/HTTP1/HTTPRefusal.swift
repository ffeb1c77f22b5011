package import GRPCWire

/// Why Weir refuses a plain HTTP request, or a backend's response to one.
package struct HTTPRefusal: Error, Equatable, CustomStringConvertible {
    /// The status of the response.
    package let status: Int
    /// What is wrong, and what would be correct.
    package let message: String

    /// A refusal with a status and a message.
    package init(_ status: Int, _ message: String) {
        self.status = status
        self.message = message
    }

    /// The status and the message.
    package var description: String { "\(status): \(message)" }

    /// The refusal as a gRPC status, which the response contains too.
    package var error: RPCError { RPCError(code, message) }

    private var code: StatusCode {
        switch status {
        case 413, 414, 431: .resourceExhausted
        case 501, 505: .unimplemented
        case 502: .internalError
        default: .invalidArgument
        }
    }

    /// Whether the headers or the request line are over a limit.
    package var isHeaderLimit: Bool { status == 414 || status == 431 }

    /// The request headers are over the limit of bytes.
    package static func headersTooLarge(bytes limit: Int) -> HTTPRefusal {
        HTTPRefusal(
            431, "the headers are over the limit of \(limit) bytes (max-header-list-bytes)")
    }

    static func tooManyFields(limit: Int) -> HTTPRefusal {
        HTTPRefusal(431, "the request has over \(limit) header fields (max-header-fields)")
    }

    static func targetTooLong(limit: Int) -> HTTPRefusal {
        HTTPRefusal(
            414, "the request line is over the limit of \(limit) bytes (max-header-list-bytes)")
    }

    /// A backend's response is invalid.
    package static func invalidResponse(of backend: String, _ reason: String) -> HTTPRefusal {
        HTTPRefusal(502, "the response of backend '\(backend)' is invalid: \(reason)")
    }

    /// The request body is over the limit.
    package static func bodyTooLarge(limit: Int) -> HTTPRefusal {
        HTTPRefusal(413, "the body is over the limit of \(limit) bytes (max-message-bytes)")
    }
}
