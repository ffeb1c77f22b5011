internal import Logging
internal import Messages

/// The copy of a shared state on this machine.
extension ControlPlane {
    /// - Returns: nil without a copy, and if it is empty or cannot be read.
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

    /// Brings the copy up to date. Call it while the store is the one that is served.
    func updateCopy() async {
        guard let copy else { return }
        let history = history
        guard copy.chain != history.chain else { return }
        do {
            if let chain = copy.chain, chain.latest >= history.oldest,
                chain.relation(to: history.chain) == .same,
                let records = try history.stored(after: chain.latest)
            {
                for record in records { try await copy.store.append(record) }
            } else {
                try await copy.store.replace(with: try history.stored())
            }
            self.copy?.chain = history.chain
            self.copy?.problem = nil
        } catch {
            // The next time, all of it is written.
            self.copy?.chain = nil
            reportCopy("\(error)")
        }
    }

    /// Deletes old revisions in the copy.
    func cutCopy(_ checkpoint: StoredRecord) async {
        guard let copy, copy.chain != nil else { return }
        do throws(StoreError) {
            try await copy.store.checkpoint(checkpoint)
            self.copy?.chain = history.chain
        } catch {
            self.copy?.chain = nil
            reportCopy(error.description)
        }
    }

    private func reportCopy(_ problem: String) {
        guard let copy, copy.problem != problem else { return }
        self.copy?.problem = problem
        log.warning(
            "the copy of the state on this machine cannot be kept",
            metadata: ["copy": "\(copy.store.place)", "reason": "\(problem)"])
    }
}
