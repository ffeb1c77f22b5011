internal import GRPCWire
internal import SystemPackage

internal import class FoundationEssentials.FileManager

#if canImport(Glibc)
    internal import Glibc
#endif

/// The content of a file that decides which peers Weir trusts: a key, a certificate, an access
/// file, a token or a password.
///
/// A user who can change such a file gains its permissions. Therefore a file is rejected if its
/// group or others can write it, or if others can write a directory of its path that has no sticky
/// bit. Symbolic links are followed, because Kubernetes mounts secrets with them.
package struct TrustedFile: Sendable {
    /// Why a file is rejected: its path, the reason, and the remedy.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String

        /// A failure with its text.
        package init(description: String) { self.description = description }
    }

    /// The largest file that is read.
    package static let maxBytes = 1 << 20
    /// The most symbolic links from a path to its file, as in Linux.
    private static let maxLinks = 40

    /// The whole content.
    package let bytes: [UInt8]
    private let path: String
    /// Warnings about the file, as sentences for the log.
    package let warnings: [String]

    /// Reads a file.
    ///
    /// - Parameter isSecret: whether to warn if other users can read the file.
    package init(_ path: String, isSecret: Bool) throws(Failure) {
        guard !path.utf8.contains(0) else { throw Self.failure(path, "the path contains a NUL") }
        // Before opening it, because opening a device can have side effects.
        try Self.check(try Self.status(of: path), path)
        try Self.checkDirectories(path)
        let file = try Self.open(path)
        defer { try? file.close() }
        // The path may refer to another file since the first check.
        let opened = try Self.status(of: file, path)
        try Self.check(opened, path)
        self.path = path
        bytes = try Self.content(of: file, path)
        warnings = Self.warnings(opened, path.printable(limit: 1_000), isSecret: isSecret)
    }

    /// The content, which must be UTF-8.
    package func text() throws(Failure) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure(description: "\(path.quotedPath) is not UTF-8")
        }
        return text
    }

    // MARK: Checks

    private static func check(_ status: stat, _ path: String) throws(Failure) {
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw failure(path, "it is not a regular file")
        }
        guard status.st_size <= maxBytes else { throw tooLarge(path) }
        guard status.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
            let who = status.st_mode & S_IWOTH == 0 ? "its group" : "every user"
            throw failure(
                path,
                "it can be written by \(who) (mode 0\(String(status.st_mode & 0o7777, radix: 8))); "
                    + "run 'chmod go-w \(path.printable(limit: 1_000))'")
        }
    }

    /// Checks each directory of a path, through all symbolic links.
    private static func checkDirectories(_ path: String) throws(Failure) {
        var rest = components(of: path)
        if !path.hasPrefix("/") {
            rest = components(of: FileManager.default.currentDirectoryPath) + rest
        }
        var directory = FilePath("/")
        var links = 0
        while !rest.isEmpty {
            try checkDirectory(directory.string, path)
            let next = rest.removeFirst()
            let entry = next == ".." ? directory.removingLastComponent() : directory.appending(next)
            guard next != "..", let target = target(of: entry.string) else {
                directory = entry
                continue
            }
            links += 1
            guard links <= maxLinks else {
                throw failure(path, "\(Errno.tooManySymbolicLinkLevels)")
            }
            if target.hasPrefix("/") { directory = "/" }
            rest = components(of: target) + rest
        }
    }

    private static func components(of path: String) -> [String] {
        path.split(separator: "/").filter { $0 != "." }.map(String.init)
    }

    private static func checkDirectory(_ directory: String, _ path: String) throws(Failure) {
        let mode = try status(of: directory).st_mode
        guard mode & S_IWOTH == 0 || mode & S_ISVTX != 0 else {
            throw failure(
                path,
                "every user can replace it, because every user can write the directory "
                    + "\(directory.quotedPath); "
                    + "run 'chmod o-w \(directory.printable(limit: 1_000))'")
        }
    }

    private static func warnings(_ status: stat, _ path: String, isSecret: Bool) -> [String] {
        var warnings: [String] = []
        if isSecret, status.st_mode & S_IROTH != 0 {
            warnings.append("'\(path)' can be read by every user; run 'chmod 600 \(path)'")
        }
        if status.st_uid != 0, status.st_uid != geteuid() {
            warnings.append(
                "'\(path)' belongs to user \(status.st_uid), who can change it; "
                    + "it should belong to root or to the user of this process")
        }
        return warnings
    }

    // MARK: The system

    private static func open(_ path: String) throws(Failure) -> FileDescriptor {
        do {
            // Without blocking, in case a FIFO has replaced the file.
            return try FileDescriptor.open(
                FilePath(path), .readOnly, options: [.closeOnExec, .nonBlocking])
        } catch {
            throw failure(path, "\(error)")
        }
    }

    private static func content(
        of file: FileDescriptor, _ path: String
    ) throws(Failure) -> [UInt8] {
        let content: [UInt8]?
        do {
            content = try file.readAll(limit: maxBytes)
        } catch {
            throw failure(path, "\(error)")
        }
        // The file may have grown since the check of its size.
        guard let content else { throw tooLarge(path) }
        return content
    }

    private static func status(of path: String) throws(Failure) -> stat {
        var status = stat()
        // Invariant: the call, which follows links, fills the structure.
        guard unsafe stat(path, &status) == 0 else {
            throw failure(path, "\(Errno(rawValue: errno))")
        }
        return status
    }

    private static func status(
        of file: FileDescriptor, _ path: String
    ) throws(Failure) -> stat {
        var status = stat()
        // Invariant: the call fills the structure.
        guard unsafe fstat(file.rawValue, &status) == 0 else {
            throw failure(path, "\(Errno(rawValue: errno))")
        }
        return status
    }

    /// The target of a symbolic link; nil for any other file.
    private static func target(of link: String) -> String? {
        let limit = Int(PATH_MAX)
        var bytes = [CChar](repeating: 0, count: limit)
        // Invariant: the call writes at most `limit` bytes, and returns their number.
        let count = unsafe readlink(link, &bytes, limit)
        guard count > 0 else { return nil }
        return String(decoding: bytes.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func tooLarge(_ path: String) -> Failure {
        failure(path, "it has more than \(maxBytes) bytes")
    }

    private static func failure(_ path: String, _ reason: String) -> Failure {
        Failure(description: "cannot use \(path.quotedPath): \(reason)")
    }
}
