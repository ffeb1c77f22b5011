internal import Logging
internal import StateStores

/// Serves without the store, and follows the store again after a loss.
extension ControlPlane {
    /// The time between two attempts to reach a lost store.
    private static let recoveryInterval = Duration.milliseconds(500)

    /// Rejects changes until the store is usable again. The served state stays.
    func storeIsLost(_ error: StoreError) {
        let isNew = storeProblem == nil
        setProblem(StoreProblem(error))
        guard isNew else { return }
        loss.recovery = Task { [weak self] in
            repeat {
                try? await Task.sleep(for: Self.recoveryInterval)
            } while await self?.recover() == false && !Task.isCancelled
        }
    }

    private func setProblem(_ new: StoreProblem) {
        guard storeProblem != .ending else { return }
        storeProblem = new
        guard loss.reports.shouldReport(new, at: .now) else { return }
        updateStandardServices()
        log.error(
            "\(new.kind.report)",
            metadata: ["store": "\(store.place)", "reason": "\(new.reason)"])
        // The other servers list this one with its problem.
        background.accepted.continuation.yield()
    }

    /// - Returns: whether the store is usable again.
    private func recover() async -> Bool {
        guard await followAgain() else { return false }
        // A server that started with a copy of the state could not register its handlers.
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
            // Outside of the queue of changes: they are rejected, and do not wait for the probe.
            try await store.probe()
        } catch {
            setProblem(StoreProblem(error))
            return false
        }
        await beginChange()
        defer { endChange() }
        guard storeProblem != .ending else { return false }
        // An operator may have decided meanwhile.
        guard let storeProblem else { return true }
        do throws(StoreError) {
            // Catching up reads only the latest revisions, and may not reach the damage.
            if storeProblem.kind == .damaged { try await checkWhole() }
            try await catchUp()
        } catch {
            setProblem(StoreProblem(error))
            return false
        }
        storeIsBack()
        return true
    }

    /// Accepts changes again.
    func storeIsBack() {
        storeProblem = nil
        loss.reports.reset()
        updateStandardServices()
        log.notice(
            "the store is back",
            metadata: ["store": "\(store.place)", "revision": "\(state.revision)"])
        background.accepted.continuation.yield()
    }
}
