internal import ControlPlane
internal import Logging
internal import StateStores

/// The store of the state, and its copy.
extension WeirServer {
    func openStore() async throws(StoreError) -> any StateStore {
        for warning in configuration.store.location.warnings {
            configuration.log.warning("\(warning)")
        }
        return try await waitingForHolder { () throws(StoreError) in
            try await configuration.store.location.open(
                acceptsLostRevisions: configuration.acceptsLostRevisions)
        }
    }

    /// - Returns: the copy, if one is configured. If it cannot be opened, the server logs a warning
    ///   and runs without it.
    func openCopy() async -> (StateCopy?, lacksCopy: Bool) {
        guard let directory = configuration.copyDirectory else { return (nil, false) }
        do throws(StoreError) {
            let copy = try await waitingForHolder { () throws(StoreError) in
                try await StateCopy.open(of: configuration.store.location, in: directory)
            }
            return (copy, false)
        } catch {
            configuration.log.warning(
                "no copy of the state is kept on this machine",
                metadata: ["reason": "\(error.description)"])
            return (nil, true)
        }
    }

    /// Opens a store. If this server replaces another one, waits until that one releases the store.
    private func waitingForHolder<Store>(
        _ open: () async throws(StoreError) -> Store
    ) async throws(StoreError) -> Store {
        let end = configuration.takeOverTimeout.map { ContinuousClock.now + $0 }
        while true {
            do throws(StoreError) {
                return try await open()
            } catch .held(let reason) {
                guard let end, .now < end else { throw .held(reason) }
                configuration.log.debug("waiting for the state", metadata: ["reason": "\(reason)"])
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}
