internal import Synchronization

/// The clients that watch changes.
final class Watchers: Sendable {
    enum Event: Sendable {
        /// The whole state: at the start, or if the changes in between are not retained.
        case snapshot(ControlState)
        case change(RevisionRecord)

        var revision: UInt64 {
            switch self {
            case .snapshot(let state): state.revision
            case .change(let record): record.revision
            }
        }
    }

    typealias Subscription = AsyncThrowingStream<Event, any Error>

    /// The most changes that wait for a slow watcher; beyond it, the watch ends with an error.
    private static let maxWaiting = 1_024

    private struct Watcher {
        let stream: Subscription.Continuation
        /// The revision that it received at the start; the event of that revision may follow.
        let known: UInt64
    }

    private struct State {
        var next = 0
        var watchers: [Int: Watcher] = [:]
    }

    private let state = Mutex(State())

    /// The changes after a revision and all later ones; from 0, the whole state first.
    func subscribe(
        from revision: UInt64, _ history: StateHistory
    ) throws(ControlError) -> Subscription {
        let known = history.current.revision
        guard revision > 0 else {
            return add(startingWith: [.snapshot(history.current)], known: known)
        }
        let kept = history.oldest...history.current.revision
        guard kept.contains(revision) else {
            throw .revisionGone(
                revision, kept: kept, "a watch from revision 0 begins with the whole state")
        }
        return add(
            startingWith: history.records(after: revision).map { .change($0) }, known: known)
    }

    private func add(startingWith first: [Event], known: UInt64) -> Subscription {
        Subscription(bufferingPolicy: .bufferingOldest(first.count + Self.maxWaiting)) { stream in
            for event in first { stream.yield(event) }
            let id = state.withLock { state in
                state.next += 1
                state.watchers[state.next] = Watcher(stream: stream, known: known)
                return state.next
            }
            stream.onTermination = { _ in
                _ = self.state.withLock { $0.watchers.removeValue(forKey: id) }
            }
        }
    }

    func send(_ event: Event) {
        let watchers = state.withLock { $0.watchers }
        for watcher in watchers.values where watcher.known < event.revision {
            if case .dropped = watcher.stream.yield(event) {
                watcher.stream.finish(throwing: ControlError.tooSlow)
            }
        }
    }

    /// - Parameter error: the error that ends the watches; nil for a regular end.
    func endAll(throwing error: ControlError? = nil) {
        let watchers = state.withLock { $0.watchers }
        for watcher in watchers.values { watcher.stream.finish(throwing: error) }
    }
}
