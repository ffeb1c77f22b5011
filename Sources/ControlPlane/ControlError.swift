package import GRPCWire
internal import Messages

/// Why a change or a question was refused: a status code, a sentence, and the details that
/// programs read (`google.rpc.BadRequest` or `ErrorInfo`).
package struct ControlError: Error {
    enum Kind: String { case backend, endpoint, handler, shadow }

    let code: StatusCode
    let message: String
    private let detail: any ProtobufMessage

    private init(_ code: StatusCode, _ message: String, _ detail: any ProtobufMessage) {
        self.code = code
        self.message = message
        self.detail = detail
    }

    private init(
        _ code: StatusCode, _ message: String, reason: String, _ metadata: [String: String]
    ) {
        self.init(
            code, message,
            Google_Rpc_ErrorInfo(reason: reason, domain: "weir", metadata: metadata))
    }

    /// A field of the request is wrong.
    static func invalid(_ field: String, _ description: String) -> ControlError {
        ControlError(
            .invalidArgument, "\(field): \(description)",
            Google_Rpc_BadRequest(
                fieldViolations: [.init(field: field, description: description)]))
    }

    static func notFound(_ kind: Kind, _ name: String, known: [String]) -> ControlError {
        let list = known.prefix(10).joined(separator: ", ") + (known.count > 10 ? ", ..." : "")
        let hint = known.isEmpty ? "there are none yet" : "there are: \(list)"
        return ControlError(
            .notFound, "no \(kind.rawValue) '\(name)'; \(hint)",
            reason: "\(kind.rawValue.uppercased())_NOT_FOUND", [kind.rawValue: name])
    }

    static func taken(_ what: String, field: String) -> ControlError {
        ControlError(
            .alreadyExists, "\(what) is taken", reason: "ALREADY_EXISTS", ["field": field])
    }

    static func inUse(backend: String, endpoints: [String]) -> ControlError {
        let list = endpoints.joined(separator: ", ")
        return ControlError(
            .failedPrecondition, "backend '\(backend)' is in use by: \(list)",
            reason: "BACKEND_IN_USE", ["backend": backend, "endpoints": list])
    }

    static func conflict(expected: UInt64, current: UInt64) -> ControlError {
        ControlError(
            .aborted, "expected revision \(expected), but the current one is \(current)",
            reason: "REVISION_CONFLICT", ["current_revision": "\(current)"])
    }

    static func revisionGone(_ revision: UInt64, kept: ClosedRange<UInt64>) -> ControlError {
        ControlError(
            .outOfRange,
            "changes after revision \(revision) can't be replayed: from \(kept.lowerBound) to "
                + "\(kept.upperBound) is possible, or 0 for the whole state",
            reason: "REVISION_NOT_KEPT", ["current_revision": "\(kept.upperBound)"])
    }

    static func tooSlow(_ revision: UInt64) -> ControlError {
        ControlError(
            .aborted,
            "the watch is too far behind; resume it from the last revision that arrived",
            reason: "WATCH_TOO_SLOW", ["current_revision": "\(revision)"])
    }

    static func noRoute(_ path: String) -> ControlError {
        ControlError(
            .notFound, "no endpoint takes \(path)", reason: "NO_ROUTE", ["path": path])
    }

    static func unavailable(_ why: String) -> ControlError {
        ControlError(.unavailable, why, reason: "STORE_UNAVAILABLE", [:])
    }

    /// The error as it goes to the client.
    package var rpcError: RPCError {
        let packed = (try? detail.serializedBytes()) ?? []
        let url = "type.googleapis.com/" + (type(of: detail).messageName ?? "")
        let status = Google_Rpc_Status(
            code: Int32(code.rawValue), message: message,
            details: [Google_Protobuf_Any(typeUrl: url, value: packed)])
        var metadata = Metadata()
        if let bytes = try? status.serializedBytes() {
            metadata.add("grpc-status-details-bin", bytes: bytes)
        }
        return RPCError(code, message, metadata: metadata)
    }
}
