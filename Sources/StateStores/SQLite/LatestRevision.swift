internal import GRPCWire
internal import Messages
package import SystemPackage
internal import TrafficPolicy
internal import Transport

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The second record of a database's latest revision, in a file next to it (`weir.db.latest`).
///
/// SQLite ignores a write-ahead log from its first invalid frame on, and creates a missing
/// database, both without an error. This record shows that revisions are missing.
///
/// ```
///   commit of revision 42 --> record: temporary file, fsync, rename, fsync of the directory
///                         '-- a crash here: the database is ahead of its record, which is valid
/// ```
struct LatestRevision: Equatable, Sendable {
    /// Why the record cannot be read or written.
    enum Failure: Error {
        /// The content is not a record.
        case damaged
        case system(String)
    }

    /// The identity of the database: 16 random bytes.
    let identity: [UInt8]
    let revision: UInt64
    /// The hash of the revision, chained with those before it.
    let hash: UInt64

    /// The most bytes that are read; a record is smaller.
    private static let maxBytes = 1_024

    /// The path of a database's record.
    static func path(for database: String) -> String { database + ".latest" }

    // MARK: Content

    private static let header = "weir-latest 1"

    /// The content of the file.
    var text: String {
        let content = """
            \(Self.header)
            database \(identity.map { $0.padded(2, radix: 16) }.joined())
            revision \(revision)
            hash \(hash.padded(16, radix: 16))

            """
        return content + "checksum \(Self.checksum(content))\n"
    }

    /// Reads the content of the file; nil if it is not exactly what `text` returns.
    init?(text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        func value(_ index: Int, _ name: String) -> Substring? {
            guard lines.indices.contains(index), lines[index].hasPrefix(name + " ") else {
                return nil
            }
            return lines[index].dropFirst(name.utf8.count + 1)
        }
        guard let identity = value(1, "database").flatMap(Self.bytes),
            let revision = value(2, "revision").flatMap({ UInt64($0) }),
            StoredRecord.problem(revision) == nil,
            let hash = value(3, "hash").flatMap({ UInt64($0, radix: 16) })
        else { return nil }
        self.init(identity: identity, revision: revision, hash: hash)
        guard self.text == text else { return nil }
    }

    init(identity: [UInt8], revision: UInt64, hash: UInt64) {
        self.identity = identity
        self.revision = revision
        self.hash = hash
    }

    private static func bytes(_ hex: Substring) -> [UInt8]? {
        let digits = hex.compactMap(\.hexDigitValue)
        guard digits.count == hex.count, digits.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map {
            UInt8(digits[$0] << 4 | digits[$0 + 1])
        }
    }

    private static func checksum(_ content: String) -> String {
        KeyHash.hash(Array(content.utf8).rawSpan, seed: 0).padded(16, radix: 16)
    }

    // MARK: File

    /// Reads a record.
    ///
    /// - Returns: nil if the file does not exist.
    static func read(from path: String) throws(Failure) -> LatestRevision? {
        let content: [UInt8]?
        do {
            let file = try FileDescriptor.open(
                FilePath(path), .readOnly, options: [.closeOnExec, .nonBlocking])
            content = try file.closeAfter { try file.readAll(limit: maxBytes) }
        } catch Errno.noSuchFileOrDirectory {
            return nil
        } catch {
            throw .system("\(path.quotedPath) cannot be read: \(error)")
        }
        guard let content, let text = String(validating: content, as: UTF8.self),
            let record = LatestRevision(text: text)
        else { throw .damaged }
        return record
    }

    /// Replaces the record of a database durably. A crash leaves the old record or the new one.
    func write(for database: String) throws(Failure) {
        let path = Self.path(for: database)
        let new = FilePath(path + ".new")
        do {
            // A crash may have left it.
            _ = unsafe new.withPlatformString { unsafe unlink($0) }
            let file = try FilePrivacy.create(new, for: database, .writeOnly)
            try file.closeAfter {
                try file.writeAll(text.utf8)
                try FileSync.synchronize(file)
            }
            try FileSync.rename(new, to: FilePath(path))
            try FileSync.synchronizeDirectory(of: path)
        } catch {
            throw .system("\(path.quotedPath) cannot be written: \(error)")
        }
    }
}

/// Durable changes of files.
package enum FileSync {
    static func synchronize(_ file: FileDescriptor) throws(Errno) {
        guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
    }

    /// Renames a file, replacing the one that has the new name.
    package static func rename(_ old: FilePath, to new: FilePath) throws(Errno) {
        // Both are zero-terminated for the time of the call.
        let code = unsafe old.withPlatformString { old in
            unsafe new.withPlatformString { unsafe Glibc.rename(old, $0) }
        }
        guard code == 0 else { throw Errno(rawValue: errno) }
    }

    /// Makes the names in the directory of a file durable, where the directory can be opened and
    /// its file system synchronizes directories.
    static func synchronizeDirectory(of path: String) throws {
        let directory = FilePath(path).removingLastComponent()
        guard
            let file = try? FileDescriptor.open(
                directory.isEmpty ? "." : directory, .readOnly, options: .closeOnExec)
        else { return }
        try file.closeAfter {
            do {
                try synchronize(file)
            } catch Errno.invalidArgument, Errno.notSupported {
                // As SQLite does, which has synchronized its files.
            }
        }
    }
}
