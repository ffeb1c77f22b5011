internal import Synchronization

/// Counts the connections of a port, in all and by address, and lets no more in than the limits
/// allow.
///
/// One for all loops: a connection takes its lock twice, a request never.
package final class ConnectionGate: Sendable {
    /// The limit of connections is reached.
    package struct LimitReached: Error, CustomStringConvertible {
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

    /// - Parameter limitPerAddress: of one IP address; Unix sockets count as one.
    package init(limit: Int, limitPerAddress: Int) {
        self.limit = limit
        self.limitPerAddress = limitPerAddress
    }

    /// Connections that were refused.
    package var refused: UInt64 { counts.withLock { $0.refused } }

    package func enter(_ address: String) throws(LimitReached) {
        let isLetIn = counts.withLock { counts in
            let ofAddress = counts.byAddress[address] ?? 0
            guard counts.all < limit, ofAddress < limitPerAddress else {
                counts.refused += 1
                return false
            }
            counts.all += 1
            counts.byAddress[address] = ofAddress + 1
            return true
        }
        if !isLetIn { throw LimitReached() }
    }

    package func leave(_ address: String) {
        counts.withLock { counts in
            counts.all -= 1
            let left = (counts.byAddress[address] ?? 1) - 1
            counts.byAddress[address] = left > 0 ? left : nil
        }
    }
}
