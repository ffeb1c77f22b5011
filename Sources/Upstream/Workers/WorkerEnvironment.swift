/// Which variables of Weir's environment a worker inherits.
enum WorkerEnvironment {
    /// Weir's own variables begin with this. Some are secrets (`WEIR_TOKEN`,
    /// `WEIR_ETCD_PASSWORD`); one that is added later is removed too.
    private static let ownPrefix = "WEIR_"

    /// Variables that a service manager sets for the process that it starts (sd_notify(3),
    /// sd_listen_fds(3), sd_watchdog_enabled(3)). A worker that used them would report its state as
    /// Weir's.
    private static let ofServiceManager: Set<String> = [
        "FDSTORE", "LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "NOTIFY_SOCKET",
        "WATCHDOG_PID", "WATCHDOG_USEC",
    ]

    /// Whether a variable is meant for Weir alone. A backend can still set it for its workers.
    static func withholds(_ name: String) -> Bool {
        name.hasPrefix(ownPrefix) || ofServiceManager.contains(name)
    }

    /// The changes to Weir's environment for a worker; nil removes a variable.
    ///
    /// - Parameters:
    ///   - names: the variables of Weir's environment.
    ///   - socket: the path of the socket on which the worker must listen.
    ///   - settings: the variables of the backend; they take precedence.
    static func changes(
        to names: some Sequence<String>, socket: String, settings: [String: String]
    ) -> [String: String?] {
        var changes: [String: String?] = [:]
        for name in names where withholds(name) { changes.updateValue(nil, forKey: name) }
        for (name, value) in settings { changes.updateValue(value, forKey: name) }
        changes.updateValue(socket, forKey: "WEIR_WORKER_SOCKET")
        return changes
    }
}
