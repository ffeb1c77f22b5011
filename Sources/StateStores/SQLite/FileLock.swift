internal import GRPCWire
internal import SystemPackage
internal import Transport

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A lock file that one process holds at a time. The system releases it when that process ends or
/// crashes.
final class FileLock: Sendable {
    /// Why the lock cannot be taken.
    enum Failure: Error {
        /// Another process holds it; its pid, if the file contains it already.
        case held(pid: Int?)
        case system(String)
    }

    let file: FileDescriptor

    /// Takes the lock of a database, or throws; never waits.
    init(database: String) throws(Failure) {
        let path = database + ".lock"
        do {
            file = try Self.open(FilePath(path), for: database)
        } catch {
            throw .system("cannot open \(path.quotedPath): \(systemReason(error))")
        }
        guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            let reason = Errno(rawValue: errno)
            // `deinit` closes the file: it runs if an initializer throws after it set all
            // properties.
            let pid = Self.pid(in: file)
            if reason == .wouldBlock { throw .held(pid: pid) }
            throw .system("cannot lock \(path.quotedPath): \(reason)")
        }
        do {
            try file.resize(to: 0)
            try file.writeAll(toAbsoluteOffset: 0, "\(getpid())\n".utf8)
        } catch {
            // The disk is full: the lock holds, and only the pid is missing.
        }
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
