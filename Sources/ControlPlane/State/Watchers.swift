internal import Synchronization

/// Those who want to hear of the next changes.
final class Watchers: Sendable {
    enum Event: Sendable {
        /// The whole state, to begin with or where changes in between are not kept.
        case snapshot(ControlState)
        case change(RevisionRecord)
    }

    typealias Subscription = AsyncThrowingStream<Event, any Error>

    /// Changes that may wait for a watcher that reads slowly; over it the watch ends with an error.
    private static let maxWaiting = 1_024

    private struct State {
        var next = 0
        var streams: [Int: Subscription.Continuation] = [:]
    }

    private let state = Mutex(State())

    /// The changes after a revision, then those to come; from 0 the whole state first.
    func subscribe(
        from revision: UInt64, _ history: StateHistory
    ) throws(ControlError) -> Subscription {
        guard revision > 0 else { return add(startingWith: [.snapshot(history.current)]) }
        let kept = history.oldest...history.current.revision
        guard kept.contains(revision) else {
            throw .revisionGone(revision, kept: kept, "from 0 comes the whole state")
        }
        return add(startingWith: history.records(after: revision).map { .change($0) })
    }

    private func add(startingWith first: [Event]) -> Subscription {
        Subscription(bufferingPolicy: .bufferingOldest(first.count + Self.maxWaiting)) { stream in
            for event in first { stream.yield(event) }
            let id = state.withLock { state in
                state.next += 1
                state.streams[state.next] = stream
                return state.next
            }
            stream.onTermination = { _ in
                _ = self.state.withLock { $0.streams.removeValue(forKey: id) }
            }
        }
    }

    func tell(_ event: Event) {
        let streams = state.withLock { $0.streams }
        for stream in streams.values {
            if case .dropped = stream.yield(event) { stream.finish(throwing: ControlError.tooSlow) }
        }
    }

    func endAll() {
        let streams = state.withLock { $0.streams }
        for stream in streams.values { stream.finish() }
    }
}
