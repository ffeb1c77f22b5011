internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// Detects that files were written or replaced. Kubernetes replaces secrets by changing a symbolic
/// link, which is detected too.
package final class WatchedFiles: Sendable {
    private struct Stamp: Equatable {
        var device: UInt = 0
        var node: UInt = 0
        var size = 0
        /// When the file was last written.
        var writtenAt = Time()
        /// When its content, owner or mode last changed. Programs cannot set this time.
        var changedAt = Time()
        var mode: UInt32 = 0
        var owner: UInt32 = 0
    }

    private struct Time: Equatable {
        var seconds = 0
        var nanoseconds = 0

        init() {}

        init(_ time: timespec) { (seconds, nanoseconds) = (time.tv_sec, time.tv_nsec) }
    }

    private struct State {
        /// The files at the last reported change, or at the start.
        var known: [Stamp]
        /// The files at the last check.
        var latest: [Stamp]
    }

    private let paths: [String]
    private let state: Mutex<State>

    /// Watches the files at these paths.
    package init(_ paths: [String]) {
        self.paths = paths
        let stamps = paths.map(Self.stamp)
        state = Mutex(State(known: stamps, latest: stamps))
    }

    /// Whether a file has changed since the last reported change, and has not changed since the
    /// last call. A file that changes between two calls may be incomplete.
    package func checkForChange() -> Bool {
        let now = paths.map(Self.stamp)
        return state.withLock { state in
            defer { state.latest = now }
            guard now == state.latest, now != state.known else { return false }
            state.known = now
            return true
        }
    }

    /// Ignores earlier changes. Call it before you read the files.
    package func restart() {
        let now = paths.map(Self.stamp)
        state.withLock { $0 = State(known: now, latest: now) }
    }

    private static func stamp(_ path: String) -> Stamp {
        var status = stat()
        // Invariant: the call, which follows links, fills the structure.
        guard unsafe stat(path, &status) == 0 else { return Stamp() }
        return Stamp(
            device: UInt(status.st_dev), node: UInt(status.st_ino), size: Int(status.st_size),
            writtenAt: Time(status.st_mtim), changedAt: Time(status.st_ctim),
            mode: status.st_mode, owner: status.st_uid)
    }
}
