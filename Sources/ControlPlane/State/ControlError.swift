package import GRPCWire
internal import Messages
internal import Serving

/// Why a request was rejected: a status code, a sentence, and the details that programs read
/// (`google.rpc.BadRequest` or `ErrorInfo`).
///
/// All of it is sent in headers, of which some clients accept 8 KiB, so its parts are shortened.
package struct ControlError: Error {
    /// The most bytes of a field, of a value in the details, and of the description.
    private static let maxFieldBytes = 200
    private static let maxValueBytes = 400
    private static let maxDescriptionBytes = 800

    enum Kind: String { case backend, endpoint, handler, shadow }

    let code: StatusCode
    private let description: String
    /// Where in the request the mistake is.
    private(set) var field: String?
    /// Which rule refused it, for programs; nil when the field itself is wrong.
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

    /// A field of the request is wrong.
    static func invalid(_ field: String, _ description: String) -> ControlError {
        ControlError(.invalidArgument, description, field: field)
    }

    /// - Parameter field: where the name was given, if the request names several.
    static func notFound(
        _ kind: Kind, _ name: String, known: [String], field: String? = nil
    ) -> ControlError {
        let list = known.prefix(10).joined(separator: ", ") + (known.count > 10 ? ", ..." : "")
        let hint = known.isEmpty ? "there are none yet" : "there are: \(list)"
        return ControlError(
            .notFound, "no \(kind.rawValue) \(name.quoted); \(hint)", field: field,
            reason: "\(kind.rawValue.uppercased())_NOT_FOUND", [kind.rawValue: name])
    }

    static func taken(_ what: String, field: String) -> ControlError {
        ControlError(
            .alreadyExists, "\(what) is taken", field: field, reason: "ALREADY_EXISTS")
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
            "revision \(revision) is not kept: there are \(kept.lowerBound) to \(kept.upperBound)"
                + (hint.map { "; \($0)" } ?? ""),
            reason: "REVISION_NOT_KEPT",
            ["oldest_revision": "\(kept.lowerBound)", "current_revision": "\(kept.upperBound)"])
    }

    /// Going back is not possible.
    static func unrestorable(_ revision: UInt64, _ reasons: [String]) -> ControlError {
        ControlError(
            .failedPrecondition,
            "revision \(revision) cannot be restored: \(reasons.joined(separator: "; "))",
            reason: "ROLLBACK_IMPOSSIBLE", ["revision": "\(revision)"])
    }

    static func notEmpty(_ revision: UInt64) -> ControlError {
        ControlError(
            .failedPrecondition, "there is a state already, at revision \(revision)",
            reason: "STATE_NOT_EMPTY", ["current_revision": "\(revision)"])
    }

    /// There is nothing to adopt or to restore.
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
        .aborted, "the watch is too far behind; resume it from the last revision that arrived",
        reason: "WATCH_TOO_SLOW")

    static func noRoute(_ path: String) -> ControlError {
        ControlError(
            .notFound, "no endpoint takes \(path.printable(limit: 200))", reason: "NO_ROUTE",
            ["path": path])
    }

    /// - Parameter place: the store.
    static func unavailable(_ place: String, _ why: String) -> ControlError {
        ControlError(
            .unavailable, "the state cannot be changed now, traffic goes on: \(why)",
            reason: "STORE_UNAVAILABLE", ["store": place])
    }

    /// The same error for a request that contains the wrong part at a deeper place.
    ///
    /// - Parameters:
    ///   - part: the beginning of the field here, or empty for the whole request.
    ///   - place: where that is there.
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

    /// The error as it goes to the client.
    package var rpcError: RPCError { RPCError(code, message, detail: detail) }
}
