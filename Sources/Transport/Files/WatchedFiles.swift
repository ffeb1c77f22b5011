internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// Notices that files have been written or replaced, also by a symbolic link that now points
/// elsewhere, as Kubernetes does with secrets.
package final class WatchedFiles: Sendable {
    private struct Stamp: Equatable {
        var device: UInt = 0
        var node: UInt = 0
        var size = 0
        /// When the file was last written.
        var writtenAt = Time()
        /// When its content, owner or mode last changed. Programs cannot set it.
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
        /// As the files were when they were last found changed, or at the start.
        var known: [Stamp]
        /// As they were when they were last looked at.
        var latest: [Stamp]
    }

    private let paths: [String]
    private let state: Mutex<State>

    package init(_ paths: [String]) {
        self.paths = paths
        let stamps = paths.map(Self.stamp)
        state = Mutex(State(known: stamps, latest: stamps))
    }

    /// Whether a file has changed since the last change that was found, and has been as it is now
    /// since this was asked last: while a file is being written, it is not complete.
    package func checkForChange() -> Bool {
        let now = paths.map(Self.stamp)
        return state.withLock { state in
            defer { state.latest = now }
            guard now == state.latest, now != state.known else { return false }
            state.known = now
            return true
        }
    }

    /// Forgets earlier changes. Call it before you read the files.
    package func restart() {
        let now = paths.map(Self.stamp)
        state.withLock { $0 = State(known: now, latest: now) }
    }

    private static func stamp(_ path: String) -> Stamp {
        var status = stat()
        // The structure is filled in by the call, which follows links.
        guard unsafe stat(path, &status) == 0 else { return Stamp() }
        return Stamp(
            device: UInt(status.st_dev), node: UInt(status.st_ino), size: Int(status.st_size),
            writtenAt: Time(status.st_mtim), changedAt: Time(status.st_ctim),
            mode: status.st_mode, owner: status.st_uid)
    }
}
