internal import Synchronization

/// Limits the connections of a port, in total and by address.
///
/// All loops share it. A connection takes its lock twice, a request never.
package final class ConnectionGate: Sendable {
    /// The limit of connections is reached.
    package struct LimitReached: Error, CustomStringConvertible {
        /// The reason, for the log.
        package var description: String { "the limit of connections is reached" }
    }

    private struct Counts {
        var all = 0
        var byAddress: [String: Int] = [:]
        var refused: UInt64 = 0
    }

    private let limit: Int
    private let limitPerAddress: Int
    private let counts = Mutex(Counts())

    /// - Parameter limitPerAddress: for one IP address. All Unix sockets count as one address.
    package init(limit: Int, limitPerAddress: Int) {
        self.limit = limit
        self.limitPerAddress = limitPerAddress
    }

    /// The number of refused connections.
    package var refused: UInt64 { counts.withLock { $0.refused } }

    /// Counts a connection, or throws at a limit.
    package func enter(_ address: String) throws(LimitReached) {
        let isAdmitted = counts.withLock { counts in
            let ofAddress = counts.byAddress[address] ?? 0
            guard counts.all < limit, ofAddress < limitPerAddress else {
                counts.refused += 1
                return false
            }
            counts.all += 1
            counts.byAddress[address] = ofAddress + 1
            return true
        }
        if !isAdmitted { throw LimitReached() }
    }

    /// Removes a connection that `enter` has counted.
    package func leave(_ address: String) {
        counts.withLock { counts in
            counts.all -= 1
            let left = (counts.byAddress[address] ?? 1) - 1
            counts.byAddress[address] = left > 0 ? left : nil
        }
    }
}
