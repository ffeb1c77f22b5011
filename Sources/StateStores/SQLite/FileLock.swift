internal import GRPCWire
internal import SystemPackage
internal import Transport

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The lock of a database, which one process holds at a time. The system releases it when that
/// process ends or crashes.
///
/// There are two locks: one on a file beside the database, which names the process, and one on the
/// database itself, which holds after the deletion of that file. Both are locks of flock(2),
/// which are independent of those of SQLite.
final class FileLock: Sendable {
    /// Why the lock cannot be taken.
    enum Failure: Error {
        /// Another process holds it; its pid, if the file contains it already.
        case held(pid: Int?)
        case system(String)
    }

    let file: FileDescriptor

    /// Takes the lock on the file beside a database, or throws; never waits.
    init(beside database: String) throws(Failure) {
        let path = database + ".lock"
        do {
            file = try Self.open(FilePath(path), for: database)
        } catch {
            throw .system("cannot open \(path.quotedPath): \(systemReason(error))")
        }
        // `deinit` closes the file: it runs if an initializer throws after it set all properties.
        if let error = take() {
            throw error == .wouldBlock
                ? .held(pid: Self.pid(in: file)) : Self.failure(path, error)
        }
        do {
            try file.resize(to: 0)
            try file.writeAll(toAbsoluteOffset: 0, "\(getpid())\n".utf8)
        } catch {
            // The disk is full: the lock holds, and only the pid is missing.
        }
    }

    /// Takes the lock on an existing database, or throws; never waits. Release it after SQLite has
    /// closed the database: when a process closes a file, it loses its own locks of fcntl(2) on it.
    init(on database: String) throws(Failure) {
        do {
            file = try FileDescriptor.open(
                FilePath(database), .readOnly, options: [.closeOnExec])
        } catch {
            throw .system("cannot open \(database.quotedPath): \(systemReason(error))")
        }
        switch take() {
        case nil: break
        case .wouldBlock: throw .held(pid: nil)
        // A network file system that does not lock a file open for reading (NFS), or locks none.
        // Then the lock file alone protects the database.
        case .badFileDescriptor, .noLocks, .notSupported: break
        case let error?: throw Self.failure(database, error)
        }
    }

    /// - Returns: nil if the lock is taken; `wouldBlock` if another process holds it.
    private func take() -> Errno? {
        flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 ? nil : Errno(rawValue: errno)
    }

    private static func failure(_ path: String, _ error: Errno) -> Failure {
        .system("cannot lock \(path.quotedPath): \(error)")
    }

    deinit {
        // A process that is being started inherits the file until it runs its program, and with the
        // file the lock.
        flock(file.rawValue, LOCK_UN)
        try? file.close()
    }

    private static func open(_ path: FilePath, for database: String) throws -> FileDescriptor {
        do {
            return try FilePrivacy.create(path, for: database, .readWrite)
        } catch Errno.fileExists {
            return try FileDescriptor.open(path, .readWrite, options: [.noFollow, .closeOnExec])
        }
    }

    private static func pid(in file: FileDescriptor) -> Int? {
        // The count is the number of bytes that were read into the buffer.
        let text = unsafe try? String(unsafeUninitializedCapacity: 32) { buffer in
            try unsafe file.read(fromAbsoluteOffset: 0, into: UnsafeMutableRawBufferPointer(buffer))
        }
        return text.flatMap { Int($0.prefix { $0.isNumber }) }
    }
}
