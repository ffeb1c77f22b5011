/// A gRPC status code, as `grpc-status` carries it. Source: gRPC's `statuscodes.md`.
public struct StatusCode: Hashable, Sendable, CustomStringConvertible {
    /// The number on the wire.
    public let rawValue: Int

    /// Any code; numbers that gRPC does not define are kept as they are.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// The call succeeded.
    public static let ok = Self(rawValue: 0)
    /// The call was cancelled, usually by the caller.
    public static let cancelled = Self(rawValue: 1)
    /// An error of which nothing more is known.
    public static let unknown = Self(rawValue: 2)
    /// The caller sent something that can't be right, whatever the state of the system.
    public static let invalidArgument = Self(rawValue: 3)
    /// The deadline passed before the call had ended.
    public static let deadlineExceeded = Self(rawValue: 4)
    /// What was asked for does not exist.
    public static let notFound = Self(rawValue: 5)
    /// What was to be created exists.
    public static let alreadyExists = Self(rawValue: 6)
    /// The caller may not do this.
    public static let permissionDenied = Self(rawValue: 7)
    /// A limit or a quota is reached.
    public static let resourceExhausted = Self(rawValue: 8)
    /// The system is not in the state that this needs.
    public static let failedPrecondition = Self(rawValue: 9)
    /// The call lost against a concurrent one; try again from the start.
    public static let aborted = Self(rawValue: 10)
    /// Past the valid range, as in reading past the end.
    public static let outOfRange = Self(rawValue: 11)
    /// There is no such method here.
    public static let unimplemented = Self(rawValue: 12)
    /// Something that must hold is broken.
    public static let internalError = Self(rawValue: 13)
    /// Not here now; a retry may succeed.
    public static let unavailable = Self(rawValue: 14)
    /// Data is lost or corrupted for good.
    public static let dataLoss = Self(rawValue: 15)
    /// The caller did not say, or not prove, who it is.
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

    /// The code as it is counted: a number that gRPC does not define is UNKNOWN, so that whoever
    /// answers can't make up more and more of them.
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

/// An RPC that ended with a status other than OK, or the wish of a handler that it does.
public struct RPCError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The status that the caller gets.
    public var code: StatusCode
    /// What went wrong, for the caller to read.
    public var message: String
    /// More trailing metadata to send with the status.
    public var metadata: Metadata

    /// An error with a status, a message and perhaps more trailing metadata.
    public init(_ code: StatusCode, _ message: String, metadata: Metadata = Metadata()) {
        self.code = code
        self.message = message
        self.metadata = metadata
    }

    /// Code and message in one line.
    public var description: String { message.isEmpty ? "\(code)" : "\(code): \(message)" }
}
