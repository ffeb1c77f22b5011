package import Messages

/// Changes of the whole state, and reads of earlier revisions.
extension ControlPlane {
    /// Replaces the state with a configuration, as one change.
    package func apply(
        _ message: Weir_Admin_V1_Configuration, onlyIfEmpty: Bool, options: ChangeOptions
    ) async throws -> Weir_Admin_V1_ApplyResponse {
        let desired = try ControlState.Configuration(message)
        let registered = registeredNames
        let (states, revision) = try await change(options, prefix: "apply: ") {
            (state) throws(ControlError) in
            guard !onlyIfEmpty || state.isEmpty else {
                throw .notEmpty(state.revision)
            }
            let before = state
            try state.replaceContent(with: desired, registered: registered)
            return (before: before, after: state)
        }
        return Weir_Admin_V1_ApplyResponse(
            changes: try StateComparison(from: states.before, to: states.after).changes,
            revision: revision, warnings: try await warnings(states.before, states.after))
    }

    /// Restores endpoints as they were at a revision, as one change.
    ///
    /// - Parameter endpoint: the endpoint to restore; empty for all.
    func rollBack(
        to revision: UInt64, endpoint: String, options: ChangeOptions
    ) async throws -> Weir_Admin_V1_RollbackResponse {
        guard revision > 0 else {
            throw ControlError.invalid("revision", "is not set; ListRevisions lists the revisions")
        }
        let earlier = try retainedState(at: revision)
        let prefix = "roll back to revision \(earlier.revision): "
        let (result, current) = try await change(options, prefix: prefix) {
            (state) throws(ControlError) in
            let before = state
            let warnings = try state.rollBack(to: earlier, only: endpoint.isEmpty ? nil : endpoint)
            return (before: before, after: state, warnings: warnings)
        }
        return Weir_Admin_V1_RollbackResponse(
            changes: try StateComparison(from: result.before, to: result.after).changes,
            revision: current,
            warnings: result.warnings + (try await warnings(result.before, result.after)))
    }

    /// Warnings for the backends that receive more weight, from their shadow reports.
    private func warnings(_ before: ControlState, _ after: ControlState) async throws -> [String] {
        var warnings: [String] = []
        for endpoint in after.endpoints.values.sorted(by: { $0.name < $1.name }) {
            guard let known = before.endpoints[endpoint.name], known.weights != endpoint.weights
            else { continue }
            warnings += try await shadowWarnings(endpoint, before: known.weights)
        }
        return warnings
    }

    // MARK: Reads

    /// The default and the largest number of revisions in one response.
    private static let defaultRevisions = 100
    private static let maxRevisions = 1_000

    func revisions(
        before: UInt64, limit: UInt32
    ) -> Weir_Admin_V1_ListRevisionsResponse {
        let count = limit == 0 ? Self.defaultRevisions : min(Int(limit), Self.maxRevisions)
        let earlier = history.entries.lazy.map(\.record).reversed()
            .filter { before == 0 || $0.revision < before }
        return Weir_Admin_V1_ListRevisionsResponse(
            revisions: earlier.prefix(count).map { .init($0) },
            currentRevision: state.revision, oldestRevision: history.oldest)
    }

    func revision(
        _ revision: UInt64, secrets: SecretValues
    ) throws -> Weir_Admin_V1_GetRevisionResponse {
        let state = try retainedState(at: revision == 0 ? state.revision : revision)
        let record = history.record(state.revision)
        return Weir_Admin_V1_GetRevisionResponse(
            revision: record.map { .init($0) } ?? .init(revision: state.revision),
            configuration: try .init(state, secrets: secrets),
            endpoints: Weir_Admin_V1_ListEndpointsResponse(state).endpoints)
    }

    func compare(_ from: UInt64, _ to: UInt64) throws -> Weir_Admin_V1_CompareRevisionsResponse {
        let before = try retainedState(at: from)
        let after = try retainedState(at: to == 0 ? state.revision : to)
        return Weir_Admin_V1_CompareRevisionsResponse(
            changes: try StateComparison(from: before, to: after).changes,
            fromRevision: before.revision, toRevision: after.revision)
    }

    private func retainedState(at revision: UInt64) throws(ControlError) -> ControlState {
        guard let state = history.state(at: revision) else {
            throw .revisionGone(revision, kept: history.oldest...state.revision)
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
