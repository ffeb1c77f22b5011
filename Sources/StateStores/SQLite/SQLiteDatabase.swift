internal import CSQLite
internal import SystemPackage

/// An open SQLite database: statements in, rows out. Not thread-safe.
@safe
package final class SQLiteDatabase {
    enum Value {
        case integer(Int64)
        case real(Double)
        case blob([UInt8])
        case text(String)
        case null

        /// The name of the type, for errors.
        var type: String {
            switch self {
            case .integer: "an integer"
            case .real: "a real number"
            case .blob: "a blob"
            case .text: "text"
            case .null: "null"
            }
        }

        var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
        var blob: [UInt8]? { if case .blob(let value) = self { value } else { nil } }
        var text: String? { if case .text(let value) = self { value } else { nil } }
    }

    struct Failure: Error, CustomStringConvertible {
        /// A primary result code. Source: https://www.sqlite.org/rescode.html
        let code: Int32
        let description: String

        var isDamage: Bool { code == SQLITE_CORRUPT || code == SQLITE_NOTADB }
    }

    private let handle: OpaquePointer

    /// A path as SQLite reads it: ":memory:" and "file:" are the start of a name like any other.
    static func fileName(_ path: String) -> String { path.hasPrefix("/") ? path : "./\(path)" }

    /// Opens a database; creates a missing one, unless `onlyReads` is set.
    init(path: String, onlyReads: Bool = false) throws(Failure) {
        var opened: OpaquePointer?
        let access =
            onlyReads ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        let flags = access | SQLITE_OPEN_NOMUTEX
        // `opened` is set even when this fails, except for lack of memory.
        let code = unsafe sqlite3_open_v2(Self.fileName(path), &opened, flags, nil)
        guard code == SQLITE_OK, let handle = unsafe opened else {
            let failure = Failure(code: code & 0xff, description: unsafe Self.reason(opened, code))
            unsafe sqlite3_close_v2(opened)
            throw failure
        }
        unsafe self.handle = handle
    }

    deinit { unsafe sqlite3_close_v2(handle) }

    /// Whether SQLite could open the file only for reading.
    var isReadOnly: Bool { unsafe sqlite3_db_readonly(handle, "main") == 1 }

    /// Runs one statement.
    ///
    /// - Returns: its rows.
    @discardableResult
    func run(_ sql: String, _ values: Value...) throws(Failure) -> [[Value]] {
        var prepared: OpaquePointer?
        // The text is copied before the call returns.
        try check(unsafe sqlite3_prepare_v2(handle, sql, -1, &prepared, nil))
        guard let statement = unsafe prepared else { return [] }
        defer { unsafe sqlite3_finalize(statement) }
        for (index, value) in values.enumerated() {
            try check(unsafe Self.bind(value, to: Int32(index + 1), of: statement))
        }
        var rows: [[Value]] = []
        while true {
            switch unsafe sqlite3_step(statement) {
            case SQLITE_ROW: unsafe rows.append(Self.row(of: statement))
            case SQLITE_DONE: return rows
            case let code: try check(code)
            }
        }
    }

    /// Runs statements in one transaction.
    func transaction(_ body: () throws(Failure) -> Void) throws(Failure) {
        try run("BEGIN IMMEDIATE")
        do throws(Failure) {
            try body()
            try run("COMMIT")
        } catch {
            // SQLite rolls back by itself after some failures.
            _ = try? run("ROLLBACK")
            throw error
        }
    }

    /// Whether the path no longer leads to the open file.
    var hasMoved: Bool {
        var moved: Int32 = 0
        let code = unsafe sqlite3_file_control(handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved)
        return code == SQLITE_OK && moved != 0
    }

    /// Leaves the write-ahead log in place when the database is closed: it may contain what SQLite
    /// cannot read.
    func keepLog() {
        var keeps: Int32 = 1
        // The number lives for the time of the call.
        _ = unsafe sqlite3_file_control(handle, "main", SQLITE_FCNTL_PERSIST_WAL, &keeps)
    }

    private func check(_ code: Int32) throws(Failure) {
        guard code != SQLITE_OK else { return }
        throw Failure(code: code & 0xff, description: unsafe Self.reason(handle, code))
    }

    private static func reason(_ handle: OpaquePointer?, _ code: Int32) -> String {
        // Both are zero-terminated and live until the next call.
        let text = unsafe handle == nil ? sqlite3_errstr(code) : sqlite3_errmsg(handle)
        var reason = unsafe text.map { unsafe String(cString: $0) } ?? "error \(code)"
        let system = unsafe handle == nil ? 0 : sqlite3_system_errno(handle)
        if system != 0 { reason += " (\(Errno(rawValue: system)))" }
        return reason
    }

    private static func bind(_ value: Value, to index: Int32, of statement: OpaquePointer) -> Int32
    {
        // A destructor of -1 makes SQLite copy the value before the call returns.
        let copied = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        switch value {
        case .integer(let number): return unsafe sqlite3_bind_int64(statement, index, number)
        case .real(let number): return unsafe sqlite3_bind_double(statement, index, number)
        // A null pointer to no bytes would be null.
        case .blob(let bytes) where bytes.isEmpty:
            return unsafe sqlite3_bind_zeroblob(statement, index, 0)
        case .text(let text): return unsafe sqlite3_bind_text(statement, index, text, -1, copied)
        case .blob(let bytes):
            return unsafe bytes.withUnsafeBytes {
                unsafe sqlite3_bind_blob64(
                    statement, index, $0.baseAddress, UInt64($0.count), copied)
            }
        case .null: return unsafe sqlite3_bind_null(statement, index)
        }
    }

    private static func row(of statement: OpaquePointer) -> [Value] {
        unsafe (0..<sqlite3_column_count(statement)).map { column in
            switch unsafe sqlite3_column_type(statement, column) {
            case SQLITE_INTEGER: return .integer(unsafe sqlite3_column_int64(statement, column))
            case SQLITE_FLOAT: return .real(unsafe sqlite3_column_double(statement, column))
            case SQLITE_TEXT:
                // Lives until the next step.
                return unsafe sqlite3_column_text(statement, column)
                    .map { .text(unsafe String(cString: $0)) } ?? .null
            case SQLITE_BLOB:
                let count = Int(unsafe sqlite3_column_bytes(statement, column))
                guard let start = unsafe sqlite3_column_blob(statement, column) else {
                    return .blob([])
                }
                return .blob(unsafe Array(UnsafeRawBufferPointer(start: start, count: count)))
            default: return .null
            }
        }
    }
}
