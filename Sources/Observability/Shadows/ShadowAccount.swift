internal import Synchronization

/// The resources and the ledger of a shadow, over all loops. It exists as long as the shadow does,
/// and survives changes of its options.
package final class ShadowAccount: Sendable {
    package struct Key: Hashable, Sendable {
        package let endpoint: String
        /// Empty for the second copies, which measure noise.
        package let backend: String

        package init(endpoint: String, backend: String) {
            self.endpoint = endpoint
            self.backend = backend
        }
    }

    package let key: Key
    /// The differences between the responses.
    package let ledger: DifferenceLedger
    private let inFlight = Atomic<Int>(0)
    private let buffered = Atomic<Int>(0)
    private let resets = Atomic<UInt64>(0)

    package init(_ key: Key, at now: UnixTime) {
        self.key = key
        ledger = DifferenceLedger(at: now)
    }

    /// Counts a copy; false if it would exceed the limit.
    package func begin(limit: Int) -> Bool {
        guard inFlight.add(1, ordering: .relaxed).newValue > limit else { return true }
        end()
        return false
    }

    package func end() { inFlight.subtract(1, ordering: .relaxed) }

    /// Counts buffered bytes; false if they would exceed the limit.
    package func hold(_ bytes: Int, limit: Int) -> Bool {
        guard buffered.add(bytes, ordering: .relaxed).newValue > limit else { return true }
        release(bytes)
        return false
    }

    package func release(_ bytes: Int) { buffered.subtract(bytes, ordering: .relaxed) }

    package var requestsInFlight: Int { inFlight.load(ordering: .relaxed) }

    package var bufferedBytes: Int { buffered.load(ordering: .relaxed) }

    /// The number of restarts of the report.
    package var epoch: UInt64 { resets.load(ordering: .relaxed) }

    /// Restarts the report without its earlier results.
    package func reset(at now: UnixTime) {
        resets.add(1, ordering: .relaxed)
        ledger.reset(at: now)
    }
}
