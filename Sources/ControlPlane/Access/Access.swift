internal import GRPCWire
internal import Serving
internal import Synchronization

/// Lets callers of the admin port do what they may, and nothing else.
///
/// Without a list everybody who can reach the port may do everything: it listens on the loopback address
/// then, or asks for certificates.
package final class Access: Sendable {
    private let list: Mutex<AccessList?>

    package init(_ list: AccessList? = nil) { self.list = Mutex(list) }

    /// From now on.
    package func replace(with list: AccessList) { self.list.withLock { $0 = list } }

    /// Who calls.
    ///
    /// - Parameter authorization: the value of the header `authorization`.
    func principal(
        identities: [String], authorization: String?
    ) throws(RPCError) -> AccessList.Principal? {
        guard let list = list.withLock({ $0 }) else {
            return identities.first.map { .init(name: $0, role: .admin, endpoints: nil) }
        }
        // A token is meant for this call, a certificate for the whole connection.
        if let authorization {
            let words = authorization.split(separator: " ")
            guard words.count == 2, words[0].lowercased() == "bearer" else {
                throw RPCError(
                    .unauthenticated, "the authorization is not of the form 'Bearer TOKEN'")
            }
            guard let principal = list.principal(token: String(words[1])) else {
                throw RPCError(.unauthenticated, "nobody here has this token")
            }
            return principal
        }
        guard !identities.isEmpty else {
            throw RPCError(
                .unauthenticated,
                "who calls? send a token (authorization: Bearer TOKEN) or show a certificate")
        }
        guard let principal = list.principal(certificate: identities) else {
            throw RPCError(
                .permissionDenied,
                "nobody here is called \(identities.joined(separator: " or "))")
        }
        return principal
    }

    /// Who calls, if that one may call the method at all.
    @discardableResult
    func check(
        _ method: String, _ context: CallContext
    ) throws(RPCError) -> AccessList.Principal? {
        let principal = try principal(
            identities: context.peerIdentities,
            authorization: context.metadata["authorization"])
        try Self.check(principal, Self.role(for: method), to: "call \(method)")
        return principal
    }

    static func check(
        _ principal: AccessList.Principal?, _ role: AccessList.Role, to act: String
    ) throws(RPCError) {
        guard let principal, principal.role < role else { return }
        throw RPCError(
            .permissionDenied,
            "'\(principal.name)' is \(principal.role.article); to \(act) takes \(role.article)")
    }

    /// Refuses an operator of other endpoints.
    ///
    /// - Parameter endpoint: what a change is about; empty for everything.
    static func check(
        _ principal: AccessList.Principal?, mayChange endpoint: String
    ) throws(RPCError) {
        guard let principal, principal.role == .operator else { return }
        guard !endpoint.isEmpty else {
            throw RPCError(
                .permissionDenied,
                "'\(principal.name)' is an operator: name the endpoint that is meant")
        }
        guard let endpoints = principal.endpoints, !endpoints.contains(endpoint) else { return }
        throw RPCError(
            .permissionDenied,
            "'\(principal.name)' is an operator of \(endpoints.sorted().joined(separator: ", ")), "
                + "not of \(endpoint)")
    }

    /// Methods of the admin service that change nothing.
    private static let viewing: Set<String> = [
        "GetBackend", "ListBackends", "GetEndpoint", "ListEndpoints", "ExplainRoute",
        "GetShadowReport", "GetStats", "WatchStats", "Watch", "ListRevisions", "GetRevision",
        "CompareRevisions", "ListInstances", "ServerReflectionInfo",
    ]
    /// Those that change traffic and shadows.
    private static let operating: Set<String> = [
        "SetTraffic", "SetRateLimit", "ShadowTraffic", "SetShadowComparison", "ResetShadowReport",
        "Rollback",
    ]

    /// What a method takes; one that isn't known here is for admins.
    static func role(for method: String) -> AccessList.Role {
        if viewing.contains(method) { return .viewer }
        return operating.contains(method) ? .operator : .admin
    }
}

extension AccessList.Role {
    fileprivate var article: String { (self == .viewer ? "a " : "an ") + rawValue }
}
