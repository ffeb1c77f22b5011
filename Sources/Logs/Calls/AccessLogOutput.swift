internal import SystemPackage
internal import Transport

/// The file or the stream of an access log. Confined to the thread of its log.
///
/// A file that cannot be opened, and a pipe whose reader has closed it, is opened again at most
/// once a second.
package struct AccessLogOutput {
    /// Where the lines are written.
    package enum Destination: Hashable, Sendable, CustomStringConvertible {
        case standardOutput
        case file(String)

        package var description: String {
            switch self {
            case .standardOutput: "standard output"
            case .file(let path): path
            }
        }
    }

    /// Why lines were not written.
    package struct Failure: Error, Equatable {
        package let reason: String
        /// The lines that were written before the failure.
        package var lines = 0
    }

    /// The mode of a new file: the group may read it.
    static let permissions: FilePermissions = [.ownerReadWrite, .groupRead]
    private static let pause = Duration.seconds(1)

    package let destination: Destination
    private var file: FileDescriptor?
    private var output = LineOutput(.standardOutput)
    /// Why the file is not open, and when it was tried.
    private var failure: (reason: String, time: ContinuousClock.Instant)?

    package init(_ destination: Destination) { self.destination = destination }

    /// Opens the file. If that fails, a file that is open stays in use.
    ///
    /// - Returns: nil if the file is open, or if the lines are not written to a file.
    package mutating func reopen() -> Failure? {
        guard case .file(let path) = destination else { return nil }
        do {
            // Without waiting: the reader of a named pipe may not exist yet.
            let opened = try FileDescriptor.open(
                FilePath(path), .writeOnly,
                options: [.append, .create, .nonBlocking, .closeOnExec],
                permissions: Self.permissions)
            close()
            file = opened
            output = LineOutput(OutputDescriptor(number: opened.rawValue))
            return nil
        } catch {
            let reason = systemReason(error)
            if file == nil { failure = (reason, .now) }
            return Failure(reason: reason)
        }
    }

    package var isOpen: Bool { file != nil }

    private mutating func close() {
        try? file?.close()
        (file, failure) = (nil, nil)
    }

    /// Writes whole lines.
    mutating func write(_ lines: [UInt8]) throws(Failure) {
        try openIfNecessary()
        do throws(LineOutput.Failure) {
            try output.write(lines)
        } catch {
            let reason = error.cause.description
            if error.cause.isClosedPipe, file != nil {
                close()
                failure = (reason, .now)
            }
            throw Failure(reason: reason, lines: error.lines)
        }
    }

    private mutating func openIfNecessary() throws(Failure) {
        guard case .file = destination, file == nil else { return }
        if let failure, failure.time.duration(to: .now) < Self.pause {
            throw Failure(reason: failure.reason)
        }
        if let failure = reopen() { throw failure }
    }
}
