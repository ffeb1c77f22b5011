internal import Logging
internal import Messages

/// What an operator can decide when the store contains another history than this server.
extension ControlPlane {
    /// Serves what the store contains, instead of the state of this server.
    func adoptState(validateOnly: Bool) async throws -> Weir_Admin_V1_AdoptStateResponse {
        await enter()
        defer { leave() }
        try requireDivergence()
        let stored: StateHistory
        do throws(StoreError) {
            stored = try StateHistory(try await store.read(after: nil))
        } catch {
            throw ControlError.unavailable(store.place, error.description)
        }
        guard stored.current.revision > 0 else {
            throw ControlError.storeIsEmpty(store.place, served: state.revision)
        }
        let response = Weir_Admin_V1_AdoptStateResponse(
            previousRevision: state.revision, revision: stored.current.revision,
            commonRevision: history.chain.common(with: stored.chain),
            changes: try StateComparison(from: state, to: stored.current).changes)
        guard !validateOnly else { return response }
        log.warning(
            "adopting the history of the store",
            metadata: [
                "store": "\(store.place)", "served": "\(state.revision)",
                "revision": "\(stored.current.revision)", "common": "\(response.commonRevision)",
            ])
        history = stored
        try await publish(backendsChanged: true, isForeign: true)
        watchers.endAll(throwing: .historyReplaced)
        storeIsBack()
        return response
    }

    /// Writes the state and the history of this server to the store, instead of what it contains.
    func restoreState(validateOnly: Bool) async throws -> Weir_Admin_V1_RestoreStateResponse {
        await enter()
        defer { leave() }
        try requireDivergence()
        do throws(StoreError) {
            let stored = try await store.read(after: nil)
            // What is damaged has no common revisions that are known.
            let chain = (try? StateHistory(stored))?.chain ?? HashChain()
            let response = Weir_Admin_V1_RestoreStateResponse(
                previousRevision: stored.latest, revision: state.revision,
                commonRevision: history.chain.common(with: chain))
            guard !validateOnly else { return response }
            log.warning(
                "replacing the history in the store",
                metadata: [
                    "store": "\(store.place)", "replaced": "\(stored.latest)",
                    "revision": "\(state.revision)", "common": "\(response.commonRevision)",
                ])
            try await store.replace(with: try storedHistory())
            storeIsBack()
            return response
        } catch {
            throw ControlError.unavailable(store.place, error.description)
        }
    }

    private func storedHistory() throws(StoreError) -> StoredHistory {
        do throws(MessageError) {
            return try history.stored()
        } catch {
            throw .damaged("the state cannot be encoded: \(error.description)")
        }
    }

    private func requireDivergence() throws(ControlError) {
        switch storeProblem?.kind {
        case .diverged, .damaged: return
        case nil: throw .notDiverged("\(store.place) contains the history that this server serves")
        case .lost, .closed:
            throw .unavailable(store.place, storeProblem?.reason ?? "it cannot be reached")
        }
    }
}
