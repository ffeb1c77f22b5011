internal import Foundation
internal import GRPCWire

/// A file that an argument names, or standard input. (`FileHandle` traps when reading fails, as it
/// does for a directory or a closed standard input.)
enum InputFile {
    /// The most bytes of a file; the JSON of a whole history is the largest.
    static let maxBytes = 1 << 30

    struct Failure: Error {
        let description: String
    }

    /// - Parameter path: '-' is standard input.
    static func contents(of path: String) throws(Failure) -> Data {
        guard path != "-" else { return try contents(of: STDIN_FILENO, "standard input") }
        let name = "'\(path.printable(limit: 1_000))'"
        guard !path.utf8.contains(0) else {
            throw Failure(description: "cannot read \(name): the path contains a NUL")
        }
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(name) }
        defer { _ = close(descriptor) }
        return try contents(of: descriptor, name)
    }

    private static func contents(of descriptor: Int32, _ name: String) throws(Failure) -> Data {
        var content = Data()
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while content.count <= maxBytes {
            // At most as many bytes are written as the buffer holds.
            let count = unsafe read(descriptor, &buffer, buffer.count)
            if count > 0 {
                content.append(contentsOf: buffer.prefix(count))
            } else if count == 0 {
                return content
            } else if errno != EINTR {
                throw failure(name)
            }
        }
        throw Failure(description: "cannot read \(name): it has more than \(maxBytes) bytes")
    }

    /// What errno(3) says.
    private static func failure(_ name: String) -> Failure {
        Failure(description: "cannot read \(name): \(unsafe String(cString: strerror(errno)))")
    }
}
