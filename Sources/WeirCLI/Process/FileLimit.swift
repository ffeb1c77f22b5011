internal import Foundation
internal import Serving

/// The limit of file descriptors. Each connection uses one.
struct FileLimit {
    /// Descriptors of one event loop: epoll, timer, wake-up, and a listener.
    private static let perLoop = 4
    /// Descriptors of the standard streams, the store, the log and input files.
    private static let reserved = 24
    /// The minimum for connections. With fewer, the server does not start.
    private static let least = 16

    /// The number of descriptors that the process may open.
    let descriptors: Int

    /// Raises the limit as far as the process may, because shells set a low one.
    static func raised() -> FileLimit? {
        var limit = rlimit()
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        // Invariant: the call writes the whole structure.
        guard unsafe getrlimit(kind, &limit) == 0 else { return nil }
        let before = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        let isRaised = unsafe setrlimit(kind, &limit) == 0
        return FileLimit(descriptors: Int(clamping: isRaised ? limit.rlim_cur : before))
    }

    /// Lowers the connection limits to what the descriptor limit allows.
    ///
    /// - Returns: a warning for the operator; nil when nothing was lowered.
    /// - Throws: when there are too few descriptors to serve.
    func apply(to limits: inout Limits, loops: Int, servesMetrics: Bool) throws -> String? {
        let scrapers = servesMetrics ? min(limits.maxMetricsConnections, descriptors) + 1 : 0
        let free = descriptors - Self.reserved - loops * Self.perLoop - scrapers
        guard free >= Self.least else {
            let needed = descriptors - free + Self.least
            throw LocatedError(
                description: "\(loops) event loops require \(needed) file descriptors; the limit "
                    + "is \(descriptors): raise it (ulimit -n, LimitNOFILE), or set --loops")
        }
        guard limits.fit(descriptors: free) else { return nil }
        return "the limit of \(descriptors) file descriptors allows "
            + "max-connections=\(limits.maxConnections) and "
            + "max-admin-connections=\(limits.maxAdminConnections); raise it (ulimit -n, "
            + "LimitNOFILE) for more"
    }
}
