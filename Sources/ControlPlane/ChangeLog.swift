internal import Synchronization

internal import struct FoundationEssentials.Date

/// The latest changes, and those who want to hear of the next ones.
struct ChangeLog {
    /// Changes kept for watchers that resume.
    static let keptChanges = 1_024
    /// Changes that may wait for a watcher that reads slowly; over it the watch ends with an error.
    static let maxWaiting = 1_024

    enum Change: Sendable {
        case snapshot(ControlState)
        case backend(ControlState.Backend)
        case deletedBackend(String)
        case endpoint(ControlState.Endpoint)
        case deletedEndpoint(String)
    }

    struct Entry: Sendable {
        let revision: UInt64
        let time: Date
        let change: Change
    }

    typealias Subscription = AsyncThrowingStream<Entry, any Error>

    private var entries: [Entry] = []
    private let watchers = Watchers()

    mutating func append(_ change: Change, revision: UInt64) {
        let entry = Entry(revision: revision, time: Date(), change: change)
        entries.append(entry)
        if entries.count > Self.keptChanges { entries.removeFirst() }
        watchers.tell(entry)
    }

    /// The changes after a revision, then those to come; from 0 the whole state first.
    func subscribe(from revision: UInt64, state: ControlState) throws(ControlError) -> Subscription
    {
        guard revision > 0 else {
            let snapshot = Entry(
                revision: state.revision, time: Date(), change: .snapshot(state))
            return watchers.add(startingWith: [snapshot])
        }
        let oldest = (entries.first?.revision ?? state.revision + 1) - 1
        guard revision >= oldest, revision <= state.revision else {
            throw .revisionGone(revision, kept: oldest...state.revision)
        }
        return watchers.add(startingWith: entries.drop { $0.revision <= revision })
    }

    func endAll() { watchers.endAll() }

    /// Shared with the streams' termination handlers, which run anywhere.
    private final class Watchers: Sendable {
        private struct State {
            var next = 0
            var streams: [Int: Subscription.Continuation] = [:]
        }

        private let state = Mutex(State())

        func add(startingWith first: some Sequence<Entry>) -> Subscription {
            let limit = ChangeLog.keptChanges + ChangeLog.maxWaiting
            return Subscription(bufferingPolicy: .bufferingOldest(limit)) { stream in
                for entry in first { stream.yield(entry) }
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

        func tell(_ entry: Entry) {
            let streams = state.withLock { $0.streams }
            for stream in streams.values {
                if case .dropped = stream.yield(entry) {
                    stream.finish(throwing: ControlError.tooSlow(entry.revision))
                }
            }
        }

        func endAll() {
            let streams = state.withLock { $0.streams }
            for stream in streams.values { stream.finish() }
        }
    }
}
