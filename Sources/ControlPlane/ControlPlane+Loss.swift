internal import Logging
internal import StateStores

/// Serving without the store, and following it again.
extension ControlPlane {
    /// Between attempts to reach a store that was lost.
    private static let recoveryInterval = Duration.milliseconds(500)

    /// From now on changes are refused, until the store is back. What is served stays.
    func lost(_ error: StoreError) {
        let isNew = storeProblem == nil
        setProblem(StoreProblem(error))
        guard isNew else { return }
        recovery = Task { [weak self] in
            repeat {
                try? await Task.sleep(for: Self.recoveryInterval)
            } while await self?.recover() == false && !Task.isCancelled
        }
    }

    private func setProblem(_ new: StoreProblem) {
        guard storeProblem != .ending else { return }
        storeProblem = new
        guard problemReports.isDue(new, at: .now) else { return }
        tellStandardServices()
        log.error(
            "\(new.kind.report)",
            metadata: ["store": "\(store.place)", "reason": "\(new.reason)"])
        // The other servers list this one with its problem.
        accepted.continuation.yield()
    }

    /// - Returns: whether the store is back.
    private func recover() async -> Bool {
        guard await followAgain() else { return false }
        // A server that started with a copy of the state could not add them.
        if !hasRegisteredHandlers { await registerHandlersOrReport() }
        return true
    }

    func registerHandlersOrReport() async {
        do {
            try await registerHandlers()
        } catch {
            log.warning("handlers cannot be registered", metadata: ["reason": "\(error)"])
        }
    }

    private func followAgain() async -> Bool {
        // The store may have been closed meanwhile.
        guard !Task.isCancelled else { return false }
        do throws(StoreError) {
            // Changes do not wait for a store that does not answer: they are refused.
            try await store.probe()
        } catch {
            setProblem(StoreProblem(error))
            return false
        }
        await enter()
        defer { leave() }
        guard storeProblem != .ending else { return false }
        // An operator may have decided meanwhile.
        guard let storeProblem else { return true }
        do throws(StoreError) {
            // The damage may be before the revisions that are read to catch up.
            if storeProblem.kind == .damaged { try await checkWhole() }
            try await catchUp()
        } catch {
            setProblem(StoreProblem(error))
            return false
        }
        storeIsBack()
        return true
    }

    /// From now on changes are accepted again.
    func storeIsBack() {
        storeProblem = nil
        problemReports.reset()
        tellStandardServices()
        log.notice(
            "the store is back",
            metadata: ["store": "\(store.place)", "revision": "\(state.revision)"])
        accepted.continuation.yield()
    }
}
