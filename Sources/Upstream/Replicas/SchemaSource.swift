package import Messages
internal import Synchronization

/// The descriptors of a backend by its own reflection. Weir asks for them when something first
/// needs them, and again when a replica is connected: it may have another version.
package final class SchemaSource: Sendable {
    /// The time between two attempts after a failure, in nanoseconds.
    private static let pause: UInt64 = 5_000_000_000

    private struct State {
        var isWanted = false
        var isReading = false
        var latest: ReflectedSchema?
        /// The descriptors of the configuration, which replace reflection.
        var declared: ReflectedSchema?
        /// The last descriptors that were parsed, and the result.
        var parsed: (digest: UInt64, schema: Result<Schema, MessageError>)?
        var failure: String?
        /// When the last attempt began, by the loop's clock.
        var lastAttempt: UInt64?
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    /// Called on any thread when the descriptors have changed.
    private let onChange: @Sendable () -> Void

    init(onChange: @escaping @Sendable () -> Void) { self.onChange = onChange }

    /// The latest descriptors; nil if none have been read.
    package var latest: ReflectedSchema? { state.withLock { $0.latest } }

    /// Why there are none; nil if nothing was tried.
    package var failure: String? {
        state.withLock { state in
            if case .failure(let error) = state.parsed?.schema { "\(error)" } else { state.failure }
        }
    }

    /// Sets the descriptors of the configuration; empty for none.
    package func declare(_ descriptorSet: [UInt8]) {
        let declared =
            descriptorSet.isEmpty ? nil : ReflectedSchema(descriptorSet: descriptorSet)
        state.withLock { $0.declared = declared }
    }

    /// The schema of the backend, with the digest of its descriptors; nil if `parse` must be called
    /// first, or the descriptors are unknown or invalid.
    package var parsed: (digest: UInt64, schema: Schema)? {
        state.withLock { state in
            guard let current = state.declared ?? state.latest, let parsed = state.parsed,
                parsed.digest == current.digest, let schema = try? parsed.schema.get()
            else { return nil }
            return (parsed.digest, schema)
        }
    }

    /// Parses the current descriptors. Takes long for large ones: not on an event loop.
    package func parse() {
        let unparsed = state.withLock { state in
            let current = state.declared ?? state.latest
            return current?.digest == state.parsed?.digest ? nil : current
        }
        guard let current = unparsed else { return }
        let schema = Result { () throws(MessageError) in
            try Schema(descriptorSet: current.descriptorSet)
        }
        state.withLock { $0.parsed = (current.digest, schema) }
    }

    /// Whether the configuration has the descriptors.
    var isDeclared: Bool { state.withLock { $0.declared != nil } }

    /// Whether the descriptors are needed.
    var isWanted: Bool { state.withLock { $0.isWanted } }

    /// Begins to follow the descriptors.
    ///
    /// - Returns: whether there are none yet.
    func want() -> Bool {
        state.withLock { state in
            state.isWanted = true
            return state.latest == nil
        }
    }

    /// Begins to read; false if an attempt runs, or has failed a moment ago.
    ///
    /// - Parameter isNew: whether the replica is new, so that an earlier failure does not count.
    func begin(at now: UInt64, isNew: Bool) -> Bool {
        state.withLock { state in
            let isPaused =
                !isNew && state.failure != nil
                && state.lastAttempt.map { now < $0 &+ Self.pause } ?? false
            guard !state.isReading, !isPaused else { return false }
            state.isReading = true
            state.lastAttempt = now
            return true
        }
    }

    /// Ends reading, and resumes those who wait.
    func end(_ outcome: ReflectionProbe.Outcome) {
        let (changed, waiting) = state.withLock { state in
            state.isReading = false
            let before = state.latest
            switch outcome {
            case .schema(let schema): (state.latest, state.failure) = (schema, nil)
            case .failed(let reason): state.failure = reason
            }
            defer { state.waiting = [] }
            return (state.latest != before, state.waiting)
        }
        // Before those who wait continue, so that they find what follows from the change.
        if changed { onChange() }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns when an attempt to read has ended, or at `giveUp`.
    func ended() async {
        await withCheckedContinuation { continuation in
            let waits = state.withLock { state in
                let isKnown = state.latest != nil || state.failure != nil
                guard state.isReading || !isKnown else { return false }
                state.waiting.append(continuation)
                return true
            }
            if !waits { continuation.resume() }
        }
    }

    /// Resumes those who wait without a result.
    func giveUp() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
