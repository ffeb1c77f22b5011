internal import Logging
internal import Messages
internal import StateStores

/// The decisions of an operator when the store and this server have different histories.
extension ControlPlane {
    /// Serves the history in the store instead of the one of this server.
    ///
    /// - Parameter caller: for the log.
    func adoptState(
        validateOnly: Bool, caller: String
    ) async throws -> Weir_Admin_V1_AdoptStateResponse {
        let response = try await adopt(validateOnly: validateOnly, caller: caller)
        // The adopted state may lack some of the handlers.
        if !validateOnly { await registerHandlersOrReport() }
        return response
    }

    private func adopt(
        validateOnly: Bool, caller: String
    ) async throws -> Weir_Admin_V1_AdoptStateResponse {
        await beginChange()
        defer { endChange() }
        try await requireDivergence()
        let stored: StateHistory
        do throws(StoreError) {
            stored = try await readWhole()
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
        report("adopting the history of the store", store: stored.chain, caller)
        history = stored
        try await publish(backendsChanged: true, isForeign: true)
        watchers.endAll(throwing: .historyReplaced)
        await updateCopy()
        storeIsBack()
        return response
    }

    /// Replaces the history in the store with the one of this server.
    ///
    /// - Parameter caller: for the log.
    func restoreState(
        validateOnly: Bool, caller: String
    ) async throws -> Weir_Admin_V1_RestoreStateResponse {
        await beginChange()
        defer { endChange() }
        try await requireDivergence()
        do throws(StoreError) {
            let stored = try await readIfIntact()
            let chain = stored.map { HistoryDecoder.intactPart(of: $0).chain } ?? HashChain()
            let response = Weir_Admin_V1_RestoreStateResponse(
                previousRevision: stored?.latest ?? 0, revision: state.revision,
                commonRevision: history.chain.common(with: chain))
            guard !validateOnly else { return response }
            report("replacing the history in the store", store: chain, caller)
            try await store.replace(with: try storedHistory(), upTo: stored?.latest)
            storeIsBack()
            return response
        } catch {
            throw ControlError.unavailable(store.place, error.description)
        }
    }

    /// The content of the store; nil if even its latest revision is unreadable.
    private func readIfIntact() async throws(StoreError) -> StoredHistory? {
        do throws(StoreError) {
            return try await store.read(after: nil)
        } catch {
            guard error.isAboutContent else { throw error }
            return nil
        }
    }

    private func report(_ decision: String, store chain: HashChain, _ caller: String) {
        log.warning(
            "\(decision)",
            metadata: [
                "by": "\(caller)", "store": "\(store.place)", "served": "\(state.revision)",
                "stored": "\(chain.latest)", "common": "\(history.chain.common(with: chain))",
            ])
    }

    private func storedHistory() throws(StoreError) -> StoredHistory {
        do throws(MessageError) {
            return try history.stored()
        } catch {
            throw .damaged("the state cannot be encoded: \(error.description)")
        }
    }

    /// Throws if the store and this server have the same history, or if the store is unreachable.
    private func requireDivergence() async throws(ControlError) {
        if let storeProblem, !storeProblem.kind.needsDecision {
            throw .unavailable(store.place, storeProblem.reason)
        }
        do throws(StoreError) {
            try await checkWhole()
        } catch {
            guard error.isAboutContent else { throw .unavailable(store.place, error.description) }
            // Following the store does not read all of it, so the damage may be new to this server.
            storeIsLost(error)
            return
        }
        throw .notDiverged("\(store.place) contains the history that this server serves")
    }
}
