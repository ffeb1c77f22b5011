package import GRPCWire

/// Why a plain HTTP request is not answered by a backend.
package struct HTTPRefusal: Error, Equatable, CustomStringConvertible {
    /// The status of the response.
    package let status: Int
    /// What is wrong, and what would be correct.
    package let message: String

    package init(_ status: Int, _ message: String) {
        self.status = status
        self.message = message
    }

    package var description: String { "\(status): \(message)" }

    /// The same as a gRPC status, which the response names too.
    package var error: RPCError { RPCError(code, message) }

    private var code: StatusCode {
        switch status {
        case 413, 414, 431: .resourceExhausted
        case 501, 505: .unimplemented
        case 502: .internalError
        default: .invalidArgument
        }
    }

    package static func headersTooLarge(bytes limit: Int) -> HTTPRefusal {
        HTTPRefusal(
            431, "the headers are over the limit of \(limit) bytes (max-header-list-bytes)")
    }

    static func tooManyFields(limit: Int) -> HTTPRefusal {
        HTTPRefusal(431, "there are over \(limit) header fields (max-header-fields)")
    }

    static func targetTooLong(limit: Int) -> HTTPRefusal {
        HTTPRefusal(
            414, "the request line is over the limit of \(limit) bytes (max-header-list-bytes)")
    }

    package static func invalidResponse(of backend: String, _ reason: String) -> HTTPRefusal {
        HTTPRefusal(502, "the response of backend '\(backend)' is invalid: \(reason)")
    }

    package static func bodyTooLarge(limit: Int) -> HTTPRefusal {
        HTTPRefusal(413, "the body is over the limit of \(limit) bytes (max-message-bytes)")
    }
}
