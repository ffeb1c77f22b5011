internal import GRPCWire
internal import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Prevents other users from reading the files of a database: the state may contain secrets of
/// workers' environments.
enum FilePrivacy {
    /// The suffixes of the files of a database.
    private static let suffixes = ["", "-wal", "-shm", "-journal", ".lock", ".latest"]

    /// Creates the database's file with mode 0600 if it is missing, and takes the permissions of
    /// other users from all files. SQLite gives its other files the mode of the database.
    ///
    /// - Returns: what it changed and what an operator should change, as sentences for the log.
    static func protect(database path: String) -> [String] {
        // If this fails, SQLite reports why the file cannot be created.
        if let file = try? FileDescriptor.open(
            FilePath(path), .readWrite, options: [.create, .exclusiveCreate, .closeOnExec],
            permissions: .ownerReadWrite)
        {
            try? file.close()
        }
        let files = suffixes.compactMap { protect(file: path + $0) }
        let warning = warning(directory: FilePath(path).removingLastComponent())
        return files + [warning].compactMap(\.self)
    }

    /// Creates a file next to a database, with mode 0600. If root does so, for example to check the
    /// state of a service, the file belongs to the owner of the database, as those of SQLite do:
    /// the service opens it next.
    ///
    /// - Throws: `fileExists` if there is one.
    static func create(
        _ path: FilePath, for database: String, _ mode: FileDescriptor.AccessMode
    ) throws -> FileDescriptor {
        // Does not open a file or link of another user.
        let file = try FileDescriptor.open(
            path, mode, options: [.create, .exclusiveCreate, .closeOnExec],
            permissions: .ownerReadWrite)
        var status = stat()
        // The call fills in the structure.
        if geteuid() == 0, unsafe stat(database, &status) == 0 {
            // If this fails, root owns the file.
            _ = fchown(file.rawValue, status.st_uid, status.st_gid)
        }
        return file
    }

    private static func protect(file path: String) -> String? {
        guard let mode = mode(of: path), mode & S_IFMT == S_IFREG, mode & 0o077 != 0 else {
            return nil
        }
        let name = path.quotedPath
        let command = "chmod 600 \(path.printable(limit: 1_000))"
        // Its owner may have made it read-only.
        let own = mode & 0o700
        // The path is zero-terminated for the time of the call.
        guard unsafe chmod(path, own) == 0 else {
            return "\(name) is open to other users (mode \(octal(mode))), and its mode cannot be "
                + "changed: \(Errno(rawValue: errno)); run '\(command)' as its owner"
        }
        return "\(name) was open to other users (mode \(octal(mode))); "
            + "its mode is \(octal(own)) now"
    }

    /// A user who can write a directory can replace the files in it. The sticky bit prevents that.
    private static func warning(directory: FilePath) -> String? {
        let path = directory.isEmpty ? "." : directory.string
        guard let mode = mode(of: path), mode & (S_IWGRP | S_IWOTH) != 0, mode & S_ISVTX == 0
        else { return nil }
        return "other users can replace the state in the directory \(path.quotedPath) (mode "
            + "\(octal(mode))); run 'chmod 700 \(path.printable(limit: 1_000))'"
    }

    private static func mode(of path: String) -> mode_t? {
        var status = stat()
        // The call fills in the structure.
        guard unsafe stat(path, &status) == 0 else { return nil }
        return status.st_mode
    }

    private static func octal(_ mode: mode_t) -> String {
        "0" + String(mode & 0o7777, radix: 8)
    }
}
