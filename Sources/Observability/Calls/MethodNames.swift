internal import Synchronization

/// The methods with series of their own, over all loops. Clients can send any method name, so a
/// method of a backend of replicas has its own series only after a backend has answered it. Calls
/// of other methods are counted as "other".
///
/// A loop calls this only when a backend answers a method for the first time after a policy change.
package final class MethodNames: Sendable {
    private struct Names {
        var byEndpoint: [String: Set<String>] = [:]
        var count = 0
    }

    /// The longest name in bytes; each series contains it.
    private static let maxNameBytes = 256

    private let maxPerEndpoint: Int
    private let maxInAll: Int
    private let names = Mutex(Names())

    package init(maxPerEndpoint: Int, maxInAll: Int) {
        self.maxPerEndpoint = maxPerEndpoint
        self.maxInAll = maxInAll
    }

    /// Whether a method that a backend of the endpoint has answered is counted under its name.
    /// False for a name that is too long or not printable ASCII, and if the endpoint, or all
    /// endpoints together, have the most names allowed.
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

    /// Removes the methods of endpoints that no longer exist.
    package func removeEndpoints(unless exists: (String) -> Bool) {
        names.withLock { names in
            names.byEndpoint = names.byEndpoint.filter { exists($0.key) }
            names.count = names.byEndpoint.values.reduce(0) { $0 + $1.count }
        }
    }
}
