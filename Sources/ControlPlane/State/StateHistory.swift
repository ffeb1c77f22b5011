internal import StateStores

internal import struct FoundationEssentials.Date

/// The number and the age up to which accepted changes are retained.
package struct HistoryBounds: Sendable {
    package var revisions = 1_000
    package var age = Duration.seconds(90 * 86_400)

    /// The number of revisions over the bound at which the history is cut. A cut reads all of it,
    /// so it must not follow each change.
    var slack: Int { max(64, revisions / 8) }

    /// The number of newest revisions that are retained whatever their age. Ages are computed up to
    /// the earliest time of these, so fewer changes under a wrong clock delete nothing.
    static let witnesses = 8

    package init() {}
}

/// An accepted change: one revision.
struct RevisionRecord: Sendable {
    let revision: UInt64
    let time: Date
    let author: String
    let comment: String
    /// The change in a few words.
    let summary: String
    let delta: StateDelta
    /// The hash of the revision before it; of revision 1, the identity of the history.
    var previousHash = HashChain.unknown
    /// The hash of this revision.
    var hash = HashChain.unknown
}

/// The current state and the latest changes, from which each retained state can be restored.
///
/// ```
///   oldest --record--> ... --record--> current
/// ```
struct StateHistory: Sendable {
    /// A class, so that a view with a copy of the history costs one reference per entry.
    final class Entry: Sendable {
        let record: RevisionRecord
        fileprivate let undo: StateDelta

        fileprivate init(_ record: RevisionRecord, undo: StateDelta) {
            self.record = record
            self.undo = undo
        }

        /// Whether the change contains a decision of an endpoint's rollouts.
        func decides(rolloutOf endpoint: String) -> Bool {
            func rollout(_ delta: StateDelta) -> ControlState.Rollout? {
                delta.endpoints.first { $0.name == endpoint }?.rollout
            }
            guard let after = rollout(record.delta) else { return false }
            let before = rollout(undo)
            return after.id != before?.id || after.decisions != before?.decisions
        }
    }

    private(set) var current: ControlState
    /// In order, without gaps.
    private(set) var entries: [Entry] = []
    /// The hashes of these changes and of some earlier ones.
    private(set) var chain: HashChain

    /// The number of hashes before the oldest retained change. A server that is at most that many
    /// revisions behind can compare its history.
    static let keptHashes = 1_024

    init(_ current: ControlState = ControlState(), chain: HashChain? = nil) {
        self.current = current
        self.chain = chain ?? HashChain(start: current.revision, hash: HashChain.unknown)
    }

    /// The earliest retained state. Each entry is one revision, so the difference is not negative.
    var oldest: UInt64 { current.revision - UInt64(entries.count) }

    /// Adds the next revision. The caller has checked its number.
    mutating func append(_ record: RevisionRecord) {
        precondition(record.revision == current.revision + 1, "revisions follow each other")
        entries.append(Entry(record, undo: current.apply(record.delta)))
        if record.revision == 1 { chain = HashChain(identity: record.previousHash) }
        chain.append(record.hash)
    }

    /// The state at a revision; nil if it is not retained.
    func state(at revision: UInt64) -> ControlState? {
        guard (oldest...current.revision).contains(revision) else { return nil }
        var state = current
        for entry in entries.reversed().prefix(Int(current.revision - revision)) {
            state.restore(entry.undo)
        }
        return state
    }

    /// The change that made a revision; nil if it is not retained.
    func record(_ revision: UInt64) -> RevisionRecord? {
        guard revision > oldest, revision <= current.revision else { return nil }
        return entries[Int(revision - oldest - 1)].record
    }

    /// The records after a retained revision.
    func records(after revision: UInt64) -> [RevisionRecord] {
        entries.drop { $0.record.revision <= revision }.map(\.record)
    }

    /// The revision up to which to delete changes; nil if they are too few.
    ///
    /// ```
    ///   oldest ... too old ... | ... retained ... | the newest 8, the witnesses of the time
    /// ```
    ///
    /// - Parameter now: the time; nil if the clock is unreliable, so that no change is too old.
    func cut(_ bounds: HistoryBounds, now: Date?) -> UInt64? {
        let aged = now.map { self.aged(bounds.age, now: $0) } ?? 0
        let surplus = entries.count - bounds.revisions
        guard surplus >= bounds.slack || aged >= min(bounds.slack, max(1, entries.count / 8))
        else { return nil }
        return oldest + UInt64(max(surplus, aged))
    }

    /// The number of oldest entries that are too old.
    private func aged(_ age: Duration, now: Date) -> Int {
        let judged = entries.dropLast(HistoryBounds.witnesses)
        let witnesses = entries.suffix(HistoryBounds.witnesses).map(\.record.time)
        guard !judged.isEmpty, let confirmed = witnesses.min() else { return 0 }
        let latest = min(now, confirmed)
        let young = latest.addingTimeInterval(-Double(age.components.seconds))
        var aged = 0
        for (index, entry) in judged.enumerated() {
            if entry.record.time < young {
                aged = index + 1
            } else if entry.record.time <= now {
                break
            }
            // A time in the future was set by a wrong clock, and does not show the age.
        }
        return aged
    }

    /// Deletes the changes up to a revision.
    mutating func forget(upTo revision: UInt64) {
        guard revision > oldest, revision <= current.revision else { return }
        entries.removeFirst(Int(revision - oldest))
        chain.forget(before: revision, except: UInt64(Self.keptHashes))
    }
}
