internal import Messages

/// Reads of earlier revisions.
extension ControlPlane.View {
    /// The default and the largest number of revisions in one response.
    private static let defaultRevisions = 100
    private static let maxRevisions = 1_000

    /// The latest revisions, newest first.
    ///
    /// - Parameter rollouts: an endpoint, to list only the decisions of its rollouts; empty for all
    ///   revisions.
    func revisions(
        before: UInt64, limit: UInt32, rolloutsOf rollouts: String = ""
    ) -> Weir_Admin_V1_ListRevisionsResponse {
        let count = limit == 0 ? Self.defaultRevisions : min(Int(limit), Self.maxRevisions)
        let earlier = history.entries.reversed().lazy
            .filter { before == 0 || $0.record.revision < before }
            .filter { rollouts.isEmpty || $0.decides(rolloutOf: rollouts) }
            .map(\.record)
        return Weir_Admin_V1_ListRevisionsResponse(
            revisions: earlier.prefix(count).map { .init($0) },
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

extension Weir_Admin_V1_Revision {
    init(_ record: RevisionRecord) {
        self.init(
            revision: record.revision, time: .init(record.time), author: record.author,
            comment: record.comment, summary: record.summary)
    }
}
