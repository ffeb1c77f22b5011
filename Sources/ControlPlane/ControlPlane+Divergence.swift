internal import Logging
internal import Messages
internal import StateStores

/// What an operator can decide when the store contains another history than this server.
extension ControlPlane {
    /// Serves what the store contains, instead of the state of this server.
    ///
    /// - Parameter caller: for the log.
    func adoptState(
        validateOnly: Bool, caller: String
    ) async throws -> Weir_Admin_V1_AdoptStateResponse {
        let response = try await adopt(validateOnly: validateOnly, caller: caller)
        // The store may lack some.
        if !validateOnly { await registerHandlersOrReport() }
        return response
    }

    private func adopt(
        validateOnly: Bool, caller: String
    ) async throws -> Weir_Admin_V1_AdoptStateResponse {
        await enter()
        defer { leave() }
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

    /// Writes the state and the history of this server to the store, instead of what it contains.
    ///
    /// - Parameter caller: for the log.
    func restoreState(
        validateOnly: Bool, caller: String
    ) async throws -> Weir_Admin_V1_RestoreStateResponse {
        await enter()
        defer { leave() }
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

    /// What the store contains; nil if not even its latest revision can be read.
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

    /// Throws if the store can be used as it is, or cannot be reached.
    private func requireDivergence() async throws(ControlError) {
        if let storeProblem, !storeProblem.kind.needsDecision {
            throw .unavailable(store.place, storeProblem.reason)
        }
        do throws(StoreError) {
            try await checkWhole()
        } catch {
            guard error.isAboutContent else { throw .unavailable(store.place, error.description) }
            // It may be damaged where this server does not read it.
            lost(error)
            return
        }
        throw .notDiverged("\(store.place) contains the history that this server serves")
    }
}
