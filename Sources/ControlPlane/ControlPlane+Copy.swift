internal import Logging
internal import StateStores

/// The copy of a shared state on this machine.
extension ControlPlane {
    /// Reads the copy.
    ///
    /// - Returns: nil if there is none, or if it is empty or unreadable.
    func readCopy() async -> StateHistory? {
        guard let copy else { return nil }
        do throws(StoreError) {
            let history = try StateHistory(try await copy.store.read(after: nil))
            self.copy?.chain = history.chain
            return history.current.revision > 0 ? history : nil
        } catch {
            reportCopy(error.description)
            return nil
        }
    }

    /// Writes the served state to the copy.
    func updateCopy() async {
        guard let copy, copy.chain != history.chain else { return }
        let history = history
        do throws(StoreError) {
            try await copy.store.follow(history, after: copy.chain)
            self.copy?.chain = history.chain
            self.copy?.problem = nil
        } catch {
            // The next update writes all of it.
            self.copy?.chain = nil
            reportCopy(error.description)
        }
    }

    /// Deletes old revisions in the copy.
    func trimCopy(_ checkpoint: StoredRecord) async {
        guard let copy, copy.chain != nil else { return }
        do throws(StoreError) {
            try await copy.store.checkpoint(checkpoint)
            self.copy?.chain?.forget(
                before: checkpoint.revision, except: UInt64(StateHistory.keptHashes))
        } catch {
            self.copy?.chain = nil
            reportCopy(error.description)
        }
    }

    private func reportCopy(_ problem: String) {
        guard let copy, copy.problem != problem else { return }
        self.copy?.problem = problem
        log.warning(
            "the copy of the state on this machine cannot be updated",
            metadata: ["copy": "\(copy.store.place)", "reason": "\(problem)"])
    }
}
