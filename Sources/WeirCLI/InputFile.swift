internal import GRPCWire
internal import Serving
internal import SystemPackage
internal import Transport

/// A file that an argument names, or standard input. (`FileHandle` traps when reading fails, as it
/// does for a directory or a closed standard input.)
enum InputFile {
    /// The size limit of a file. The largest input is the JSON of a whole history.
    static let maxBytes = 1 << 30

    struct Failure: Error {
        let description: String
    }

    /// - Parameter path: '-' is standard input.
    static func contents(of path: String) throws(Failure) -> [UInt8] {
        let (file, name) = try open(path)
        defer { if file != .standardInput { try? file.close() } }
        return try contents(of: file, name)
    }

    /// Opens a file; the caller closes it, except standard input.
    ///
    /// - Parameter path: '-' is standard input.
    /// - Returns: also the name for errors.
    static func open(_ path: String) throws(Failure) -> (file: FileDescriptor, name: String) {
        guard path != "-" else { return (.standardInput, "standard input") }
        let name = path.quotedPath
        guard !path.utf8.contains(0) else {
            throw Failure(description: "cannot read \(name): the path contains a NUL")
        }
        do {
            return (try .open(FilePath(path), .readOnly, options: .closeOnExec), name)
        } catch {
            throw Failure(description: "cannot read \(name): \(error)")
        }
    }

    private static func contents(
        of file: FileDescriptor, _ name: String
    ) throws(Failure) -> [UInt8] {
        let content: [UInt8]?
        do {
            content = try file.readAll(limit: maxBytes)
        } catch {
            throw Failure(description: "cannot read \(name): \(error)")
        }
        guard let content else {
            throw Failure(description: "cannot read \(name): it exceeds \(maxBytes) bytes")
        }
        return content
    }
}
