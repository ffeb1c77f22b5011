internal import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#endif

/// A file descriptor for output. Unlike `FileHandle`, it throws when a write fails instead of
/// trapping.
package struct OutputDescriptor: Sendable {
    package static let standardOutput = OutputDescriptor(number: STDOUT_FILENO)
    package static let standardError = OutputDescriptor(number: STDERR_FILENO)

    package let number: Int32

    /// A descriptor, which this value does not own.
    package init(number: Int32) { self.number = number }

    /// Why bytes could not be written.
    package struct Failure: Error, Equatable, CustomStringConvertible {
        /// The error number, see errno(3).
        package let code: Int32
        /// The number of bytes written before the failure.
        package let written: Int

        package var description: String { Errno(rawValue: code).description }

        /// Whether the reader of a pipe has closed it.
        package var isClosedPipe: Bool { code == EPIPE }
    }

    /// Writes all bytes. Waits for a slow reader, even if the descriptor is non-blocking (a
    /// terminal or pipe that another program shares may be).
    package func write(_ text: String) throws(Failure) {
        try write(Array(text.utf8))
    }

    /// Writes all bytes; waits likewise.
    package func write(_ bytes: [UInt8]) throws(Failure) {
        var written = 0
        // `withUnsafeBytes` does not rethrow typed errors.
        let code = unsafe bytes.withUnsafeBytes { bytes -> Int32 in
            while written < bytes.count {
                // Invariant: the buffer is valid during the closure.
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[written...])
                let count = unsafe Glibc.write(number, rest.baseAddress, rest.count)
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
    package var isClosedByReader: Bool {
        var entry = pollfd(fd: number, events: 0, revents: 0)
        return unsafe poll(&entry, 1, 0) == 1 && entry.revents & Int16(POLLERR | POLLHUP) != 0
    }
}
