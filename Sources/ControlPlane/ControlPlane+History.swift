package import Messages

/// Changes of the whole state.
extension ControlPlane {
    /// Replaces the state with a configuration, as one change.
    package func apply(
        _ message: Weir_Admin_V1_Configuration, onlyIfEmpty: Bool, options: ChangeOptions
    ) async throws -> Weir_Admin_V1_ApplyResponse {
        let desired = try ControlState.Configuration(message)
        for (index, endpoint) in desired.endpoints.enumerated() {
            guard let plan = endpoint.rollout else { continue }
            do throws(ControlError) {
                try checkWebhooks(plan)
            } catch {
                throw error.moved(
                    from: "plan", to: "configuration.endpoints[\(index)].rollout")
            }
        }
        let registered = registeredNames
        let chance = chance
        let (result, revision) = try await change(options, prefix: "apply: ") {
            (state) throws(ControlError) in
            guard !onlyIfEmpty || state.isEmpty else {
                throw .notEmpty(state.revision)
            }
            let before = state
            let notes = try state.replaceContent(
                with: desired, registered: registered, by: options.author, chance)
            return (change: try StateChange(from: before, to: state), notes: notes)
        }
        return Weir_Admin_V1_ApplyResponse(
            changes: result.change.objects, revision: revision,
            warnings: result.notes.map(\.text) + (await shadowWarnings(of: result.change)),
            undone: result.notes.filter(\.isUndone).map(\.text))
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
        let earlier = try history.retainedState(at: revision)
        let prefix = "roll back to revision \(earlier.revision): "
        let (result, current) = try await change(options.ignoringFreeze(), prefix: prefix) {
            (state) throws(ControlError) in
            let before = state
            let warnings = try state.rollBack(
                to: earlier, only: endpoint.isEmpty ? nil : endpoint, by: options.author)
            return (change: try StateChange(from: before, to: state), warnings: warnings)
        }
        return Weir_Admin_V1_RollbackResponse(
            changes: result.change.objects, revision: current,
            warnings: result.warnings + (await shadowWarnings(of: result.change)))
    }

    private func shadowWarnings(of change: StateChange) async -> [String] {
        await shadowWarnings(of: change.after.endpoints.values) {
            $0.shadowWarnings(from: change.before, to: change.after)
        }
    }

    /// The warnings of a change of endpoints. Reads no counts if none has a shadow: to read those
    /// of all loops takes longer than a change.
    func shadowWarnings(
        of endpoints: some Collection<ControlState.Endpoint>,
        _ warnings: @Sendable (View) -> [String]
    ) async -> [String] {
        guard endpoints.contains(where: { !$0.shadows.isEmpty }) else { return [] }
        return await views.readSampled(includesBackends: false, warnings)
    }
}

/// A change of the whole state, described before it is made: a description that fails must not fail
/// a stored change.
private struct StateChange: Sendable {
    let before: ControlState
    let after: ControlState
    let objects: [Weir_Admin_V1_ObjectChange]

    init(from before: ControlState, to after: ControlState) throws(ControlError) {
        self.before = before
        self.after = after
        do throws(MessageError) {
            objects = try StateComparison(from: before, to: after).changes
        } catch {
            throw .invalid("change", "cannot be described: \(error.description)")
        }
    }
}
