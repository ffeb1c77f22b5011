internal import FoundationEssentials
internal import GRPCWire
internal import Synchronization
internal import SystemPackage
internal import Transport

#if canImport(Glibc)
    internal import Glibc
#endif

/// The directory of the workers' sockets, which only this user can enter. It is created for the
/// first worker, and again if another program, such as a cleaner of /tmp, has deleted it.
///
/// A lock on the directory shows that its server runs, also to servers in other containers that
/// share the parent directory, and to systemd-tmpfiles (tmpfiles.d(5)). When a server creates its
/// directory, it removes those of dead servers beside it.
package final class WorkerDirectory: Sendable {
    /// Why no socket path can be created.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// A possible parent directory, and the variable that names it.
    package struct Place: Equatable, Sendable {
        package let variable: String
        package let path: String

        package init(variable: String, path: String) {
            self.variable = variable
            self.path = path
        }
    }

    private struct State {
        var path: String?
        var lock: FileDescriptor?
        var sockets = 0
    }

    /// The longest path of a Unix socket (unix(7)).
    package static let maxPathBytes = 107
    /// `/`, the largest number of a socket, and `.sock`.
    private static let maxNameBytes = 16
    private static let attempts = 3

    private let places: [Place]
    private let report: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - places: the first in which the directory can be created is used.
    ///   - report: called with the reason why an earlier one is not used.
    package init(
        in places: [Place] = WorkerDirectory.places(ProcessInfo.processInfo.environment),
        report: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.places = places
        self.report = report
    }

    /// The places that an environment names, the best first: systemd's directory for the files of
    /// a running unit, which it deletes with the unit, then the one for temporary files.
    package static func places(_ environment: [String: String]) -> [Place] {
        // systemd names all directories of RuntimeDirectory=.
        let runtime = (environment["RUNTIME_DIRECTORY"] ?? "").split(separator: ":").first
        let temporary = environment["TMPDIR"] ?? ""
        return [
            runtime.map { Place(variable: "RUNTIME_DIRECTORY", path: String($0)) },
            Place(variable: "TMPDIR", path: temporary.hasPrefix("/") ? temporary : "/tmp"),
        ].compactMap { $0 }.filter { $0.path.hasPrefix("/") }.map { place in
            let path = place.path.hasSuffix("/") ? String(place.path.dropLast()) : place.path
            return Place(variable: place.variable, path: path)
        }
    }

    /// A path that was not returned before.
    @Sendable func makeSocketPath() throws(Failure) -> String {
        try state.withLock { (state) throws(Failure) in
            if let path = state.path, !FileManager.default.fileExists(atPath: path) {
                state.path = nil
            }
            if state.path == nil { try make(&state) }
            state.sockets &+= 1
            return "\(state.path ?? "")/\(state.sockets).sock"
        }
    }

    /// Creates the directory in the first place that allows it.
    private func make(_ state: inout State) throws(Failure) {
        var problems: [String] = []
        for place in places {
            do throws(Failure) {
                let (path, lock) = try Self.make(in: place)
                try? state.lock?.close()
                (state.path, state.lock) = (path, lock)
                Self.removeDead(in: place.path)
                for problem in problems { report("\(problem); \(place.path.quotedPath) is used") }
                return
            } catch {
                problems.append(error.description)
            }
        }
        throw Failure(description: problems.joined(separator: "; "))
    }

    private static func make(in place: Place) throws(Failure) -> (String, FileDescriptor) {
        for _ in 0..<attempts {
            let path = "\(place.path)/\(SocketDirectoryName.random(pid: getpid()))"
            guard path.utf8.count + maxNameBytes <= maxPathBytes else {
                throw Failure(
                    description: "the path of its socket, '\(path)/1.sock', can become longer than "
                        + "\(maxPathBytes) bytes: set \(place.variable) to a shorter one")
            }
            do {
                // Fails if another user has a directory of this name.
                try FileManager.default.createDirectory(
                    atPath: path, withIntermediateDirectories: false,
                    attributes: [.posixPermissions: 0o700])
            } catch {
                throw Failure(
                    description: "the directory of its socket, '\(path)', cannot be created: "
                        + "\(systemReason(error)); set \(place.variable) to a directory that this "
                        + "user can write")
            }
            // Another server that starts now may consider it that of a dead server.
            if let lock = lock(path), FileManager.default.fileExists(atPath: path) {
                return (path, lock)
            }
        }
        throw Failure(
            description: "the directory of its socket cannot be locked in '\(place.path)'; set "
                + "\(place.variable) to another directory")
    }

    /// - Returns: nil if another process has the lock, or the directory cannot be opened.
    private static func lock(_ path: String) -> FileDescriptor? {
        guard
            let directory = try? FileDescriptor.open(
                FilePath(path), .readOnly, options: [.directory, .closeOnExec, .noFollow])
        else { return nil }
        guard flock(directory.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            try? directory.close()
            return nil
        }
        return directory
    }

    /// Removes the directories of servers that ended without removing them.
    private static func removeDead(in place: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? [] {
            // The lock decides. A running server of another version may have no lock. In a
            // container, the previous server had the process id of this one.
            guard let name = SocketDirectoryName(name),
                name.pid == getpid() || !isRunning(name.pid)
            else { continue }
            let path = "\(place)/\(name.text)"
            // Other users' directories cannot be opened.
            guard let lock = lock(path) else { continue }
            try? FileManager.default.removeItem(atPath: path)
            try? lock.close()
        }
    }

    private static func isRunning(_ pid: Int32) -> Bool { kill(pid, 0) == 0 || errno != ESRCH }

    /// Removes the directory with the sockets of dead workers.
    package func remove() {
        state.withLock { state in
            if let path = state.path { try? FileManager.default.removeItem(atPath: path) }
            try? state.lock?.close()
            (state.path, state.lock) = (nil, nil)
        }
    }
}

/// The name of a directory for sockets: `weir-PID-NUMBER`.
struct SocketDirectoryName: Equatable {
    let text: String
    let pid: Int32

    static func random(pid: Int32) -> String {
        "weir-\(pid)-\(String(UInt32.random(in: .min ... .max), radix: 36))"
    }

    /// Nil for another name.
    init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "weir", let pid = Int32(parts[1]), pid > 0,
            UInt32(parts[2], radix: 36) != nil
        else { return nil }
        self.text = text
        self.pid = pid
    }
}
