package import GRPCWire

/// The figures of a shadow.
package struct ShadowFigures: Sendable {
    /// The two statuses of one request.
    package struct Statuses: Hashable, Sendable {
        package let primary: StatusCode
        package let shadow: StatusCode

        package init(primary: StatusCode, shadow: StatusCode) {
            (self.primary, self.shadow) = (primary, shadow)
        }
    }

    /// Dropped copies, by `ShadowDrop`.
    private var drops = [UInt64](repeating: 0, count: ShadowDrop.allCases.count)
    /// Requests that the proportion selected.
    package private(set) var selected: UInt64 = 0
    /// Selected requests that the shadow's backend answered itself.
    package private(set) var own: UInt64 = 0
    /// Pairs of responses by their statuses.
    package private(set) var statuses: [Statuses: UInt64] = [:]
    /// Pairs whose bytes are equal.
    package private(set) var equal: UInt64 = 0
    /// Pairs whose bytes differ, which are compared field by field.
    package private(set) var unequal: UInt64 = 0
    /// Responses without a partner: the caller cancelled its call.
    package private(set) var unpaired: UInt64 = 0
    /// Pairs that were not compared because too many waited.
    package private(set) var overload: UInt64 = 0
    /// The durations of both responses of the pairs.
    package private(set) var primaryLatency = LatencyHistogram()
    package private(set) var shadowLatency = LatencyHistogram()

    package init() {}

    package func dropped(_ reason: ShadowDrop) -> UInt64 { drops[reason.rawValue] }

    package mutating func drop(_ reason: ShadowDrop) { drops[reason.rawValue] += 1 }

    package mutating func select() { selected += 1 }

    package mutating func skipOwn() { own += 1 }

    package mutating func countUnpaired() { unpaired += 1 }

    package mutating func countOverload() { overload += 1 }

    /// Counts two responses to one request.
    package mutating func pair(
        _ statuses: Statuses, primary: UInt64, shadow: UInt64, isEqual: Bool
    ) {
        self.statuses[statuses, default: 0] += 1
        primaryLatency.record(nanoseconds: primary)
        shadowLatency.record(nanoseconds: shadow)
        if isEqual { equal += 1 } else { unequal += 1 }
    }

    package mutating func add(_ other: ShadowFigures) {
        for index in drops.indices { drops[index] += other.drops[index] }
        selected += other.selected
        own += other.own
        for (pair, count) in other.statuses { statuses[pair, default: 0] += count }
        equal += other.equal
        unequal += other.unequal
        unpaired += other.unpaired
        overload += other.overload
        primaryLatency.add(other.primaryLatency)
        shadowLatency.add(other.shadowLatency)
    }
}

/// The figures of one shadow on one loop; they restart with the report. Confined to its loop.
package final class ShadowTally {
    package let account: ShadowAccount
    private var epoch: UInt64
    private var counted = ShadowFigures()

    package init(_ account: ShadowAccount) {
        self.account = account
        epoch = account.epoch
    }

    package var figures: ShadowFigures {
        get {
            epoch == account.epoch ? counted : ShadowFigures()
        }
        _modify {
            if epoch != account.epoch {
                epoch = account.epoch
                counted = ShadowFigures()
            }
            yield &counted
        }
    }
}
