// The fields that several requests have in common.

internal import GRPCWire
internal import Messages
internal import Serving

/// A request whose response contains secrets if an admin requests them.
protocol SecretsRequest {
    var revealSecrets: Bool { get }
}

extension SecretsRequest {
    var secrets: SecretValues { SecretValues(revealed: revealSecrets) }
}

extension Weir_Admin_V1_GetBackendRequest: SecretsRequest {}
extension Weir_Admin_V1_ListBackendsRequest: SecretsRequest {}
extension Weir_Admin_V1_GetRevisionRequest: SecretsRequest {}
extension Weir_Admin_V1_WatchRequest: SecretsRequest {}
extension Weir_Admin_V1_TapRequest: SecretsRequest {}
extension Weir_Admin_V1_GetTraceRequest: SecretsRequest {}

extension Access {
    /// Requires the role of an admin for a request that reveals secrets.
    func require(_ request: any WireMessage, _ context: CallContext) throws(RPCError) {
        guard let request = request as? any SecretsRequest, request.revealSecrets else { return }
        try require(context) { requirement in
            requirement.role = .admin
            requirement.action = "reveal secrets"
        }
    }
}

/// The fields that all requests for changes have.
protocol ChangeRequest: WireMessage {
    var expectedRevision: UInt64? { get }
    var validateOnly: Bool { get }
    var note: Weir_Admin_V1_ChangeNote? { get }
    /// Whether the change is made although the state is frozen.
    var overrideFreeze: Bool { get }
}

extension ChangeRequest {
    var overrideFreeze: Bool { false }
}

/// A request that concerns one endpoint, or all if the name is empty.
protocol EndpointRequest {
    var endpoint: String { get }
}

extension Weir_Admin_V1_SetTrafficRequest: EndpointRequest {}
extension Weir_Admin_V1_ShadowTrafficRequest: EndpointRequest {}
extension Weir_Admin_V1_SetRateLimitRequest: EndpointRequest {}
extension Weir_Admin_V1_SetShadowComparisonRequest: EndpointRequest {}
extension Weir_Admin_V1_RollbackRequest: EndpointRequest {}
extension Weir_Admin_V1_ConfirmTrafficRequest: EndpointRequest {}
extension Weir_Admin_V1_StartRolloutRequest: EndpointRequest {}
extension Weir_Admin_V1_PauseRolloutRequest: EndpointRequest {}
extension Weir_Admin_V1_ResumeRolloutRequest: EndpointRequest {}
extension Weir_Admin_V1_AdvanceRolloutRequest: EndpointRequest {}
extension Weir_Admin_V1_PromoteRolloutRequest: EndpointRequest {}
extension Weir_Admin_V1_AbortRolloutRequest: EndpointRequest {}

extension Weir_Admin_V1_CreateBackendRequest: ChangeRequest {}
extension Weir_Admin_V1_UpdateBackendRequest: ChangeRequest {}
extension Weir_Admin_V1_DeleteBackendRequest: ChangeRequest {}
extension Weir_Admin_V1_CreateEndpointRequest: ChangeRequest {}
extension Weir_Admin_V1_DeleteEndpointRequest: ChangeRequest {}
extension Weir_Admin_V1_SetTrafficRequest: ChangeRequest {}
extension Weir_Admin_V1_ShadowTrafficRequest: ChangeRequest {}
extension Weir_Admin_V1_SetRateLimitRequest: ChangeRequest {}
extension Weir_Admin_V1_SetShadowComparisonRequest: ChangeRequest {}
extension Weir_Admin_V1_ApplyRequest: ChangeRequest {}
extension Weir_Admin_V1_RollbackRequest: ChangeRequest {}
extension Weir_Admin_V1_ConfirmTrafficRequest: ChangeRequest {}
extension Weir_Admin_V1_SetFreezeRequest: ChangeRequest {}
extension Weir_Admin_V1_StartRolloutRequest: ChangeRequest {}
extension Weir_Admin_V1_PauseRolloutRequest: ChangeRequest {}
extension Weir_Admin_V1_ResumeRolloutRequest: ChangeRequest {}
extension Weir_Admin_V1_AdvanceRolloutRequest: ChangeRequest {}
extension Weir_Admin_V1_PromoteRolloutRequest: ChangeRequest {}
extension Weir_Admin_V1_AbortRolloutRequest: ChangeRequest {}

extension ControlPlane.ChangeOptions {
    /// The limits of author and comment in bytes: each list of revisions contains them.
    private static let maxAuthorBytes = 256
    private static let maxCommentBytes = 4_000

    /// The beginnings of the authors of changes that the server makes by itself.
    static let reservedAuthors = ["rollout/", "traffic/"]

    /// - Parameters:
    ///   - author: the authenticated caller; nil to use the author that the request names.
    ///   - caller: the author of a change without both.
    init(
        _ request: some ChangeRequest, author: String?, caller: String
    ) throws(ControlError) {
        let note = request.note ?? .init()
        try RequestField("note.author").check(note.author, maxBytes: Self.maxAuthorBytes)
        try RequestField("note.comment").check(
            note.comment, maxBytes: Self.maxCommentBytes, allowsLines: true)
        if author == nil, let reserved = Self.reservedAuthors.first(where: note.author.hasPrefix) {
            throw .invalid(
                "note.author",
                "begins with '\(reserved)', which is reserved for the decisions of the server; use "
                    + "another name")
        }
        self.init(
            expectedRevision: request.expectedRevision, validateOnly: request.validateOnly,
            author: author.map { $0.printable(limit: Self.maxAuthorBytes) }
                ?? (note.author.isEmpty ? caller : note.author), comment: note.comment,
            ignoresFreeze: request.overrideFreeze)
    }
}
