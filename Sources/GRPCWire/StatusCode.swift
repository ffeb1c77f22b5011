/// A gRPC status code, the value of `grpc-status`. Source: gRPC's `statuscodes.md`.
public struct StatusCode: Hashable, Sendable, CustomStringConvertible {
    /// The number on the wire.
    public let rawValue: Int

    /// Any code, including numbers that gRPC does not define.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// The call succeeded.
    public static let ok = Self(rawValue: 0)
    /// The call was cancelled, usually by the caller.
    public static let cancelled = Self(rawValue: 1)
    /// An error without more information.
    public static let unknown = Self(rawValue: 2)
    /// The request is invalid, independently of the state of the system.
    public static let invalidArgument = Self(rawValue: 3)
    /// The deadline passed before the call ended.
    public static let deadlineExceeded = Self(rawValue: 4)
    /// The requested object does not exist.
    public static let notFound = Self(rawValue: 5)
    /// The object to create already exists.
    public static let alreadyExists = Self(rawValue: 6)
    /// The caller lacks the permission.
    public static let permissionDenied = Self(rawValue: 7)
    /// A limit or a quota was reached.
    public static let resourceExhausted = Self(rawValue: 8)
    /// The system is not in the required state.
    public static let failedPrecondition = Self(rawValue: 9)
    /// The call conflicts with a concurrent one. Retry from the start.
    public static let aborted = Self(rawValue: 10)
    /// The operation exceeds the valid range, as in reading past the end.
    public static let outOfRange = Self(rawValue: 11)
    /// The method does not exist or is not supported.
    public static let unimplemented = Self(rawValue: 12)
    /// An internal invariant was violated.
    public static let internalError = Self(rawValue: 13)
    /// The service is not available. A retry may succeed.
    public static let unavailable = Self(rawValue: 14)
    /// Data is lost or corrupted.
    public static let dataLoss = Self(rawValue: 15)
    /// The caller did not authenticate.
    public static let unauthenticated = Self(rawValue: 16)

    /// The names of codes 0 to 16, in order.
    package static let names = [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
        "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
        "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
        "UNAUTHENTICATED",
    ]

    /// The name in capitals, as in gRPC's documents.
    public var description: String {
        Self.names.indices.contains(rawValue) ? Self.names[rawValue] : "CODE_\(rawValue)"
    }

    /// The code used in metrics. A number that gRPC does not define counts as UNKNOWN, so that a
    /// backend cannot create any number of labels.
    package var counted: StatusCode {
        Self.names.indices.contains(rawValue) ? self : .unknown
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

/// The error of an RPC that ended with a status other than OK. A handler throws it to set the
/// status.
public struct RPCError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The status that the caller receives.
    public var code: StatusCode
    /// The error message for the caller.
    public var message: String
    /// Additional trailing metadata.
    public var metadata: Metadata

    /// Creates an error with a status, a message and optional trailing metadata.
    public init(_ code: StatusCode, _ message: String, metadata: Metadata = Metadata()) {
        self.code = code
        self.message = message
        self.metadata = metadata
    }

    /// Code and message in one line.
    public var description: String { message.isEmpty ? "\(code)" : "\(code): \(message)" }
}
