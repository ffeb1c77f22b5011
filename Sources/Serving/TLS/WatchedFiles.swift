internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// Tells when files have been written anew or replaced, also by a link that now points elsewhere, as
/// Kubernetes does with secrets.
package final class WatchedFiles: Sendable {
    private struct Stamp: Equatable {
        var device: UInt = 0
        var node: UInt = 0
        var size = 0
        var seconds = 0
        var nanoseconds = 0
    }

    private let paths: [String]
    private let stamps: Mutex<[Stamp]>

    package init(_ paths: [String]) {
        self.paths = paths
        stamps = Mutex(paths.map(Self.stamp))
    }

    /// Whether one of them has changed since this was asked last, or since the start.
    package var haveChanged: Bool {
        let now = paths.map(Self.stamp)
        return stamps.withLock { stamps in
            defer { stamps = now }
            return stamps != now
        }
    }

    private static func stamp(_ path: String) -> Stamp {
        var status = stat()
        // The structure is filled in by the call, which follows links.
        guard unsafe stat(path, &status) == 0 else { return Stamp() }
        return Stamp(
            device: UInt(status.st_dev), node: UInt(status.st_ino), size: Int(status.st_size),
            seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
    }
}
