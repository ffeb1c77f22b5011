internal import Messages

/// Reads of earlier revisions.
extension ControlPlane.View {
    /// The default and the largest number of revisions in one response.
    private static let defaultRevisions = 100
    private static let maxRevisions = 1_000

    /// The latest revisions, newest first.
    ///
    /// - Parameters:
    ///   - rollouts: an endpoint, to list only the decisions of its rollouts; empty for all
    ///     revisions.
    ///   - endpoint: an endpoint, to list only its changes, with its weights; empty likewise.
    func revisions(
        before: UInt64, limit: UInt32, rolloutsOf rollouts: String = "", of endpoint: String = ""
    ) -> Weir_Admin_V1_ListRevisionsResponse {
        let count = limit == 0 ? Self.defaultRevisions : min(Int(limit), Self.maxRevisions)
        let earlier = history.entries.reversed().lazy
            .filter { before == 0 || $0.record.revision < before }
            .filter { rollouts.isEmpty || $0.decides(rolloutOf: rollouts) }
            .map(\.record)
            .filter { endpoint.isEmpty || $0.changes(endpoint) }
        return Weir_Admin_V1_ListRevisionsResponse(
            revisions: earlier.prefix(count).map { .init($0, weightsOf: endpoint) },
            currentRevision: state.revision, oldestRevision: history.oldest)
    }

    /// A revision and the state at it; 0 for the current one.
    func revision(
        _ revision: UInt64, secrets: SecretValues
    ) throws -> Weir_Admin_V1_GetRevisionResponse {
        let state = try history.retainedState(at: revision == 0 ? state.revision : revision)
        let record = history.record(state.revision)
        return Weir_Admin_V1_GetRevisionResponse(
            revision: record.map { .init($0) } ?? .init(revision: state.revision),
            configuration: try .init(state, secrets: secrets),
            endpoints: Weir_Admin_V1_ListEndpointsResponse(state).endpoints)
    }

    /// The changes between two revisions.
    func compare(_ from: UInt64, _ to: UInt64) throws -> Weir_Admin_V1_CompareRevisionsResponse {
        let before = try history.retainedState(at: from)
        let after = try history.retainedState(at: to == 0 ? state.revision : to)
        return Weir_Admin_V1_CompareRevisionsResponse(
            changes: try StateComparison(from: before, to: after).changes,
            fromRevision: before.revision, toRevision: after.revision)
    }
}

extension StateHistory {
    /// The state at a revision; throws OUT_OF_RANGE if it is not retained.
    func retainedState(at revision: UInt64) throws(ControlError) -> ControlState {
        guard let state = state(at: revision) else {
            throw .revisionGone(revision, kept: oldest...current.revision)
        }
        return state
    }
}

extension RevisionRecord {
    /// Whether the revision created, changed or deleted an endpoint.
    fileprivate func changes(_ endpoint: String) -> Bool {
        delta.endpoints.contains { $0.name == endpoint }
            || delta.deletedEndpoints.contains(endpoint)
    }
}

extension Weir_Admin_V1_Revision {
    /// - Parameter endpoint: the endpoint whose weights to include; empty for none.
    init(_ record: RevisionRecord, weightsOf endpoint: String = "") {
        let changed = record.delta.endpoints.first { $0.name == endpoint }
        self.init(
            revision: record.revision, time: .init(record.time), author: record.author,
            comment: record.comment, summary: record.summary,
            weights: changed.map { .init($0.weights) } ?? [])
    }
}
