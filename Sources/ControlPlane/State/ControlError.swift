package import GRPCWire
internal import Messages
internal import Serving

/// Why a request was rejected: a status code, a sentence, and details for programs
/// (`google.rpc.BadRequest` or `ErrorInfo`).
///
/// The server sends it in headers, of which some clients accept only 8 KiB, so it truncates the
/// parts.
package struct ControlError: Error {
    /// The most bytes of a field, of a value in the details, and of the description.
    private static let maxFieldBytes = 200
    private static let maxValueBytes = 400
    private static let maxDescriptionBytes = 800

    enum Kind: String { case backend, endpoint, handler, shadow }

    let code: StatusCode
    private let description: String
    /// The invalid field of the request.
    private(set) var field: String?
    /// The broken rule, for programs; nil if the field itself is invalid.
    private let reason: String?
    private let metadata: [String: String]

    private init(
        _ code: StatusCode, _ description: String, field: String? = nil, reason: String? = nil,
        _ metadata: [String: String] = [:]
    ) {
        self.code = code
        self.description = description.printable(limit: Self.maxDescriptionBytes)
        self.field = field?.printable(limit: Self.maxFieldBytes)
        self.reason = reason
        self.metadata = metadata.mapValues { $0.printable(limit: Self.maxValueBytes) }
    }

    package var message: String { field.map { "\($0): \(description)" } ?? description }

    /// A field of the request is invalid.
    static func invalid(_ field: String, _ description: String) -> ControlError {
        ControlError(.invalidArgument, description, field: field)
    }

    /// - Parameter field: the field that contains the name, if the request has several names.
    static func notFound(
        _ kind: Kind, _ name: String, known: [String], field: String? = nil
    ) -> ControlError {
        let list = known.prefix(10).joined(separator: ", ") + (known.count > 10 ? ", ..." : "")
        let guess = NameSuggestion.closest(to: name, in: known).map { "; did you mean '\($0)'?" }
        let hint = known.isEmpty ? "there are none yet" : "there are: \(list)\(guess ?? "")"
        return ControlError(
            .notFound, "no \(kind.rawValue) \(name.quoted); \(hint)", field: field,
            reason: "\(kind.rawValue.uppercased())_NOT_FOUND", [kind.rawValue: name])
    }

    static func alreadyExists(_ object: String, field: String) -> ControlError {
        ControlError(
            .alreadyExists, "\(object) already exists", field: field, reason: "ALREADY_EXISTS")
    }

    /// Two routes match the same requests.
    static func routeConflict(_ description: String) -> ControlError {
        ControlError(.alreadyExists, description, reason: "ROUTE_CONFLICT")
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

    static func revisionGone(
        _ revision: UInt64, kept: ClosedRange<UInt64>, _ hint: String? = nil
    ) -> ControlError {
        ControlError(
            .outOfRange,
            "revision \(revision) is not retained: use \(kept.lowerBound) to \(kept.upperBound)"
                + (hint.map { "; \($0)" } ?? ""),
            reason: "REVISION_NOT_KEPT",
            ["oldest_revision": "\(kept.lowerBound)", "current_revision": "\(kept.upperBound)"])
    }

    /// A rollback is impossible.
    static func unrestorable(_ revision: UInt64, _ reasons: [String]) -> ControlError {
        ControlError(
            .failedPrecondition,
            "revision \(revision) cannot be restored: \(reasons.joined(separator: "; "))",
            reason: "ROLLBACK_IMPOSSIBLE", ["revision": "\(revision)"])
    }

    /// The state of an object does not allow the change.
    static func rejected(
        _ description: String, reason: String, _ metadata: [String: String]
    ) -> ControlError {
        ControlError(.failedPrecondition, description, reason: reason, metadata)
    }

    static func missing(
        _ description: String, reason: String, _ metadata: [String: String]
    ) -> ControlError {
        ControlError(.notFound, description, reason: reason, metadata)
    }

    static func notEmpty(_ revision: UInt64) -> ControlError {
        ControlError(
            .failedPrecondition, "the state is not empty: it is at revision \(revision)",
            reason: "STATE_NOT_EMPTY", ["current_revision": "\(revision)"])
    }

    /// The store and the server have the same history, so an operator has nothing to decide.
    static func notDiverged(_ description: String) -> ControlError {
        ControlError(.failedPrecondition, description, reason: "NOT_DIVERGED")
    }

    static func storeIsEmpty(_ store: String, served revision: UInt64) -> ControlError {
        ControlError(
            .failedPrecondition,
            "\(store) is empty: write the state of this server, revision \(revision), to it with "
                + "'weir state restore'; to begin with an empty state, stop all servers and start "
                + "them with '--accept-lost-revisions'",
            reason: "STORE_EMPTY", ["current_revision": "\(revision)"])
    }

    static let historyReplaced = ControlError(
        .aborted, "the server has adopted another history; begin a new watch from revision 0",
        reason: "HISTORY_REPLACED")

    static let tooSlow = ControlError(
        .aborted, "the watch is too far behind; resume it from the last revision that you received",
        reason: "WATCH_TOO_SLOW")

    static func noRoute(_ path: String) -> ControlError {
        ControlError(
            .notFound, "no endpoint matches '\(path.printable(limit: 200))'", reason: "NO_ROUTE",
            ["path": path])
    }

    /// - Parameter place: the store.
    static func unavailable(_ place: String, _ why: String) -> ControlError {
        ControlError(
            .unavailable, "the state cannot be changed now; traffic is not affected: \(why)",
            reason: "STORE_UNAVAILABLE", ["store": place])
    }

    /// The same error for a larger request that contains the one that was checked.
    ///
    /// - Parameters:
    ///   - part: the first part of the field to replace; empty to prepend `place`.
    ///   - place: the path of that part in the larger request.
    func moved(from part: String, to place: String) -> ControlError {
        guard let field else { return self }
        var moved = self
        if part.isEmpty {
            moved.field = "\(place).\(field)"
        } else if field == part || field.hasPrefix(part + ".") {
            moved.field = place + field.dropFirst(part.count)
        }
        moved.field = moved.field?.printable(limit: Self.maxFieldBytes)
        return moved
    }

    private var detail: any ProtobufMessage {
        if let reason {
            let place = field.map { ["field": $0] } ?? [:]
            return Google_Rpc_ErrorInfo(
                reason: reason, domain: "weir", metadata: metadata.merging(place) { $1 })
        }
        return Google_Rpc_BadRequest(
            fieldViolations: [.init(field: field ?? "", description: description)])
    }

    /// The error as the server sends it to the client.
    package var rpcError: RPCError { RPCError(code, message, detail: detail) }
}
