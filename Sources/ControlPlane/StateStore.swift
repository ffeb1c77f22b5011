/// Where the control state is kept. A store holds one state at a time and replaces it only if its
/// revision is the one that the writer saw.
package protocol StateStore: Sendable {
    /// The state, or nil in an empty store.
    func load() async throws -> ControlState?

    /// Keeps a state for good before it returns.
    ///
    /// Throws `StateStoreError.conflict` when the stored revision is not `previous`.
    func save(_ state: ControlState, replacing previous: UInt64) async throws
}

package enum StateStoreError: Error, Equatable {
    case conflict(stored: UInt64)
}

/// Keeps the state in memory: for tests, and for servers whose state is made at each start.
package actor MemoryStore: StateStore {
    private var state: ControlState?

    package init() {}

    package func load() -> ControlState? { state }

    package func save(_ state: ControlState, replacing previous: UInt64) throws {
        let stored = self.state?.revision ?? 0
        guard stored == previous else { throw StateStoreError.conflict(stored: stored) }
        self.state = state
    }
}
