/// A gRPC status code, as `grpc-status` carries it. Source: gRPC's `statuscodes.md`.
public struct StatusCode: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int

    /// Any code; numbers that gRPC does not define are kept as they are.
    public init(rawValue: Int) { self.rawValue = rawValue }

    public static let ok = Self(rawValue: 0)
    public static let cancelled = Self(rawValue: 1)
    public static let unknown = Self(rawValue: 2)
    public static let invalidArgument = Self(rawValue: 3)
    public static let deadlineExceeded = Self(rawValue: 4)
    public static let notFound = Self(rawValue: 5)
    public static let alreadyExists = Self(rawValue: 6)
    public static let permissionDenied = Self(rawValue: 7)
    public static let resourceExhausted = Self(rawValue: 8)
    public static let failedPrecondition = Self(rawValue: 9)
    public static let aborted = Self(rawValue: 10)
    public static let outOfRange = Self(rawValue: 11)
    public static let unimplemented = Self(rawValue: 12)
    public static let internalError = Self(rawValue: 13)
    public static let unavailable = Self(rawValue: 14)
    public static let dataLoss = Self(rawValue: 15)
    public static let unauthenticated = Self(rawValue: 16)

    /// The names of codes 0 to 16, in order.
    package static let names = [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
        "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
        "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
        "UNAUTHENTICATED",
    ]

    public var description: String {
        Self.names.indices.contains(rawValue) ? Self.names[rawValue] : "CODE_\(rawValue)"
    }

    /// The code for a response that is not gRPC, by its HTTP status
    /// (gRPC's `http-grpc-status-mapping.md`).
    package init(httpStatus: Int) {
        switch httpStatus {
        case 400: self = .internalError
        case 401: self = .unauthenticated
        case 403: self = .permissionDenied
        case 404: self = .unimplemented
        case 429, 502, 503, 504: self = .unavailable
        default: self = .unknown
        }
    }
}

extension StatusCode {
    /// The code for a stream that was reset, by its HTTP/2 error code ("Errors" in gRPC's
    /// `PROTOCOL-HTTP2.md`).
    package init(http2Error code: UInt32) {
        switch code {
        case 0x7: self = .unavailable
        case 0x8: self = .cancelled
        case 0xb: self = .resourceExhausted
        case 0xc: self = .permissionDenied
        default: self = .internalError
        }
    }
}

/// An RPC that ended with a status other than OK, or the wish of a handler that it does.
public struct RPCError: Error, Hashable, Sendable, CustomStringConvertible {
    public var code: StatusCode
    /// What went wrong, for the caller to read.
    public var message: String
    /// More trailing metadata to send with the status.
    public var metadata: Metadata

    public init(_ code: StatusCode, _ message: String, metadata: Metadata = Metadata()) {
        self.code = code
        self.message = message
        self.metadata = metadata
    }

    public var description: String { message.isEmpty ? "\(code)" : "\(code): \(message)" }
}
