internal import Foundation
internal import SystemPackage

/// A file descriptor for output. Unlike `FileHandle`, it throws when a write fails instead of
/// trapping.
struct OutputDescriptor: Sendable {
    static let standardOutput = OutputDescriptor(number: STDOUT_FILENO)
    static let standardError = OutputDescriptor(number: STDERR_FILENO)

    let number: Int32

    /// Why bytes could not be written.
    struct Failure: Error, Equatable, CustomStringConvertible {
        /// The error number, see errno(3).
        let code: Int32
        /// The number of bytes written before the failure.
        let written: Int

        var description: String { Errno(rawValue: code).description }

        /// Whether the reader of a pipe has closed it.
        var isClosedPipe: Bool { code == EPIPE }
    }

    /// Writes all bytes. Waits for a slow reader, even if the descriptor is non-blocking (a
    /// terminal or pipe that another program shares may be).
    func write(_ text: String) throws(Failure) {
        var text = text
        var written = 0
        // `withUTF8` does not rethrow typed errors.
        let code = text.withUTF8 { bytes -> Int32 in
            while written < bytes.count {
                // Invariant: the buffer is valid during the closure.
                let rest = unsafe UnsafeRawBufferPointer(bytes)[written...]
                let count = unsafe Foundation.write(
                    number, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count > 0 {
                    written += count
                } else if count == 0 {
                    return EIO
                } else if errno == EAGAIN || errno == EWOULDBLOCK {
                    waitUntilWritable()
                } else if errno != EINTR {
                    return errno
                }
            }
            return 0
        }
        guard code == 0 else { throw Failure(code: code, written: written) }
    }

    private func waitUntilWritable() {
        var entry = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
        _ = unsafe poll(&entry, 1, -1)
    }

    /// Whether the descriptor is a pipe or socket that its reader has closed.
    var isClosedByReader: Bool {
        var entry = pollfd(fd: number, events: 0, revents: 0)
        return unsafe poll(&entry, 1, 0) == 1 && entry.revents & Int16(POLLERR | POLLHUP) != 0
    }
}
