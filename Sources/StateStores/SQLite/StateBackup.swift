internal import GRPCWire
internal import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Copies a database, even while a server uses it.
package enum StateBackup {
    /// Writes a copy of an SQLite store to a new file: one consistent state, with mode 0600, on the
    /// disk when this returns. Readers of a database in WAL mode do not delay its writer.
    ///
    /// - Parameter store: the store as the operator gives it.
    /// - Returns: the revisions in the copy.
    package static func copy(
        _ store: String, to file: String
    ) throws(StoreError) -> ClosedRange<UInt64> {
        let location: StoreLocation
        do throws(StoreLocation.Invalid) {
            location = try StoreLocation(store)
        } catch {
            throw .refused(error.description)
        }
        guard case .sqlite(let database) = location else {
            throw .refused(
                "only SQLite stores can be copied to a file; for etcd, use 'etcdctl snapshot save'")
        }
        guard !exists(file) else {
            throw .refused("\(file.quotedPath) exists: choose another name")
        }
        let partial = file + ".partial"
        do {
            let created = try FileDescriptor.open(
                FilePath(partial), .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: .ownerReadWrite)
            try created.close()
        } catch Errno.fileExists {
            throw .refused(
                "\(partial.quotedPath) exists: another backup is running, or was interrupted; "
                    + "delete the file if none is running")
        } catch {
            throw .refused("\(partial.quotedPath) cannot be created: \(error)")
        }
        // After the link below, this removes one of two names.
        defer { _ = unsafe unlink(partial) }
        let revisions = try copy(database: SQLiteStore.target(of: database), to: partial)
        try publish(partial, as: file)
        return revisions
    }

    private static func copy(
        database path: String, to partial: String
    ) throws(StoreError) -> ClosedRange<UInt64> {
        // Reads the record before the database, which a server may change meanwhile.
        let recorded: LatestRevision?
        do throws(LatestRevision.Failure) {
            recorded = try LatestRevision.read(from: LatestRevision.path(for: path))
        } catch {
            switch error {
            case .damaged:
                throw .damaged("\(LatestRevision.path(for: path).quotedPath) is damaged")
            case .system(let reason): throw .refused(reason)
            }
        }
        do throws(SQLiteDatabase.Failure) {
            let source = try SQLiteDatabase(path: path, onlyReads: true)
            try source.run("PRAGMA busy_timeout = 10000")
            try checkVersion(of: source)
            try source.run("VACUUM INTO ?", .text(SQLiteDatabase.fileName(partial)))
            let copy = try SQLiteDatabase(path: partial, onlyReads: true)
            let history = SQLiteStore.history(of: copy)
            let chain = try SQLiteStore.chain(of: copy, history)
            let identity = try SQLiteStore.identity(of: copy)
            let record = LatestRevision.path(for: path).quotedPath
            if let problem = history.damage
                ?? recorded?.loss(in: chain, of: identity, record: record)
            {
                throw SQLiteDatabase.Failure(code: 0, description: problem)
            }
            return chain.start...chain.latest
        } catch {
            throw .damaged("\(path.quotedPath) cannot be copied: \(error.description)")
        }
    }

    private static func checkVersion(
        of database: SQLiteDatabase
    ) throws(SQLiteDatabase.Failure) {
        let version = try SQLiteStore.version(of: database)
        guard version < SQLiteStore.currentVersion else { return }
        throw SQLiteDatabase.Failure(
            code: 0,
            description: version == 0
                ? "it is empty"
                : "it was written by an earlier version of weir (schema \(version)): start this "
                    + "version of 'weir serve' with it first")
    }

    /// Gives a complete copy its name, unless another file has that name by now.
    private static func publish(_ partial: String, as file: String) throws(StoreError) {
        do {
            let written = try FileDescriptor.open(
                FilePath(partial), .readOnly, options: .closeOnExec)
            try written.closeAfter { try FileSync.synchronize(written) }
            // A link does not replace a file. Both paths are zero-terminated for the time of the
            // call.
            if unsafe link(partial, file) != 0 {
                let error = Errno(rawValue: errno)
                // A file system without links, such as FAT.
                guard [.notPermitted, .notSupported].contains(error) else { throw error }
                guard !exists(file) else { throw Errno.fileExists }
                try FileSync.rename(FilePath(partial), to: FilePath(file))
            }
            try FileSync.synchronizeDirectory(of: file)
        } catch Errno.fileExists {
            throw .refused("\(file.quotedPath) exists: choose another name")
        } catch {
            throw .refused("\(file.quotedPath) cannot be written: \(error)")
        }
    }

    private static func exists(_ path: String) -> Bool {
        var status = stat()
        // The structure is filled in by the call.
        return unsafe lstat(path, &status) == 0
    }
}
