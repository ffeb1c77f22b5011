internal import GRPCWire
internal import Messages
internal import Serving
internal import Synchronization
internal import Transport

/// Decides what callers of the admin port may do: when a call begins, and again for each open call
/// when the access file changes.
///
/// Without a list, every caller may do everything. The port then listens on the loopback address
/// or requires certificates.
package final class Access: Sendable {
    /// What a call requires of its caller.
    struct Requirement: Sendable {
        var role: AccessList.Role
        /// For the error: "call SetTraffic".
        var action: String
        /// The endpoint that a change concerns, empty for all; nil if endpoints are not checked.
        var endpoint: String?
    }

    /// A call that has not ended.
    private struct OpenCall {
        let credentials: Credentials
        var requirement: Requirement
        let end: @Sendable (RPCError) -> Void
    }

    /// The proofs of a caller's identity.
    struct Credentials: Sendable {
        let identities: [PeerIdentity]
        /// The value of the header `authorization`.
        /// The values of `authorization`.
        let authorization: [String]
    }

    private struct State {
        var list: AccessList?
        var calls: [ObjectIdentifier: OpenCall] = [:]
    }

    private let state: Mutex<State>

    package init(_ list: AccessList? = nil) { state = Mutex(State(list: list)) }

    /// Replaces the list, and ends the open calls that the new one does not allow.
    package func replace(with list: AccessList) {
        let rejected = state.withLock { state in
            state.list = list
            return state.calls.values.compactMap { call in
                Self.rejection(of: call.credentials, call.requirement, list).map { (call.end, $0) }
            }
        }
        // Outside of the lock: a call that ends takes it.
        for (end, error) in rejected { end(error) }
    }

    /// Admits or rejects a call to a method that requires a role, and keeps an admitted call until
    /// it ends.
    func admit(
        _ method: String, _ role: AccessList.Role, _ context: CallContext
    ) -> Service.Admission {
        let call = OpenCall(
            credentials: Credentials(context),
            requirement: Requirement(role: role, action: "call \(method)"),
            end: { context.end($0) })
        let id = context.id
        // In one step, so that the list cannot change in between.
        let rejection = state.withLock { state -> RPCError? in
            if let error = Self.rejection(of: call.credentials, call.requirement, state.list) {
                return error
            }
            state.calls[id] = call
            return nil
        }
        if let rejection { return .rejected(rejection) }
        return .admitted { [self] in _ = state.withLock { $0.calls.removeValue(forKey: id) } }
    }

    /// Adds a requirement to an admitted call; it is checked now and while the call is open.
    ///
    /// - Parameter extend: adds to the requirement of the method.
    @discardableResult
    func require(
        _ context: CallContext, _ extend: (inout Requirement) -> Void = { _ in }
    ) throws(RPCError) -> AccessList.Principal? {
        try state.withLock { (state) throws(RPCError) in
            guard var call = state.calls[context.id] else {
                throw RPCError(.cancelled, "the call has ended")
            }
            extend(&call.requirement)
            let principal = try Self.check(call.credentials, call.requirement, state.list)
            state.calls[context.id] = call
            return principal
        }
    }

    /// Checks a request that is not a call.
    func check(_ credentials: Credentials, _ requirement: Requirement) throws(RPCError) {
        _ = try Self.check(credentials, requirement, state.withLock { $0.list })
    }

    private static func rejection(
        of credentials: Credentials, _ requirement: Requirement, _ list: AccessList?
    ) -> RPCError? {
        do throws(RPCError) {
            _ = try check(credentials, requirement, list)
            return nil
        } catch {
            return error
        }
    }

    // MARK: Rules

    /// The caller, if it meets the requirement; nil for an anonymous caller without a list.
    static func check(
        _ credentials: Credentials, _ requirement: Requirement, _ list: AccessList?
    ) throws(RPCError) -> AccessList.Principal? {
        guard let principal = try principal(credentials, list) else { return nil }
        guard principal.role >= requirement.role else {
            throw RPCError(
                .permissionDenied,
                "'\(principal.name)' has the role \(principal.role.rawValue) and needs the role "
                    + "\(requirement.role.rawValue) to \(requirement.action)")
        }
        guard let endpoint = requirement.endpoint, principal.role == .operator else {
            return principal
        }
        guard !endpoint.isEmpty else {
            throw RPCError(
                .permissionDenied,
                "'\(principal.name)' has the role operator: the request must name an endpoint")
        }
        if let endpoints = principal.endpoints, !endpoints.contains(endpoint) {
            throw RPCError(
                .permissionDenied,
                "'\(principal.name)' is an operator of "
                    + endpoints.sorted().joined(separator: ", ")
                    + ", not of \(endpoint.printable(limit: 128))")
        }
        return principal
    }

    private static func principal(
        _ credentials: Credentials, _ list: AccessList?
    ) throws(RPCError) -> AccessList.Principal? {
        guard let list else {
            return credentials.identities.first.map {
                .init(name: $0.name, role: .admin, endpoints: nil)
            }
        }
        // A token is meant for this call, a certificate for the whole connection.
        if let authorization = credentials.authorization.first {
            guard credentials.authorization.count == 1 else {
                throw RPCError(
                    .unauthenticated,
                    "the request has \(credentials.authorization.count) authorization fields: "
                        + "send one")
            }
            let words = authorization.split(separator: " ")
            guard words.count == 2, words[0].lowercased() == "bearer" else {
                throw RPCError(
                    .unauthenticated, "the authorization is not of the form 'Bearer TOKEN'")
            }
            guard let principal = list.principal(token: String(words[1])) else {
                throw RPCError(.unauthenticated, "the access file has no entry for this token")
            }
            return principal
        }
        guard !credentials.identities.isEmpty else {
            throw RPCError(
                .unauthenticated,
                "the caller is unknown: send a token (authorization: Bearer TOKEN) or a "
                    + "certificate with a URI, a DNS name or an email address")
        }
        guard let principal = list.principal(certificate: credentials.identities) else {
            let names = credentials.identities.prefix(4).map { "\($0)".printable(limit: 128) }
            throw RPCError(
                .permissionDenied,
                "the access file has none of the certificate's names: "
                    + names.joined(separator: ", ")
                    + (credentials.identities.count > 4 ? ", ..." : ""))
        }
        return principal
    }
}

extension Access.Credentials {
    init(_ context: CallContext) {
        self.init(
            identities: context.peerIdentities,
            authorization: context.metadata.values("authorization"))
    }
}

extension Weir_Admin_V1_GetAccessResponse {
    /// - Parameter principal: nil for an anonymous caller, who may do everything.
    init(_ principal: AccessList.Principal?) {
        let role: Weir_Admin_V1_AccessRole =
            switch principal?.role ?? .admin {
            case .viewer: .viewer
            case .operator: .operator
            case .admin: .admin
            }
        self.init(
            name: principal?.name ?? "", role: role,
            endpoints: principal?.endpoints?.sorted() ?? [])
    }
}
