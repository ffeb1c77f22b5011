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
    package var failure: String? { state.withLock { $0.failure } }

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
