internal import Synchronization

/// The methods that calls are counted under, of all loops together. Clients can make up method
/// names, so a method of a backend of replicas gets a name of its own only after a backend has
/// answered it. All others are counted as "other".
///
/// Loops ask only when a backend has answered a method for the first time since a policy change.
package final class MethodNames: Sendable {
    private struct Names {
        var byEndpoint: [String: Set<String>] = [:]
        var count = 0
    }

    /// The longest name in bytes, which each series repeats.
    private static let maxNameBytes = 256

    private let maxPerEndpoint: Int
    private let maxInAll: Int
    private let names = Mutex(Names())

    package init(maxPerEndpoint: Int, maxInAll: Int) {
        self.maxPerEndpoint = maxPerEndpoint
        self.maxInAll = maxInAll
    }

    /// Whether a method that a backend of the endpoint has answered is counted under its name.
    /// False for a name that is long or not printable ASCII, and when the endpoint, or all
    /// endpoints together, have as many names as they may.
    package func admit(_ method: String, of endpoint: String) -> Bool {
        guard method.utf8.count <= Self.maxNameBytes,
            method.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else { return false }
        return names.withLock { names in
            let known = names.byEndpoint[endpoint] ?? []
            if known.contains(method) { return true }
            guard known.count < maxPerEndpoint, names.count < maxInAll else { return false }
            names.byEndpoint[endpoint, default: []].insert(method)
            names.count += 1
            return true
        }
    }

    /// Forgets the methods of endpoints that do not exist any more.
    package func keep(endpoints: (String) -> Bool) {
        names.withLock { names in
            names.byEndpoint = names.byEndpoint.filter { endpoints($0.key) }
            names.count = names.byEndpoint.values.reduce(0) { $0 + $1.count }
        }
    }
}
