internal import Dispatch
internal import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#endif

/// POSIX signals as a sequence. Once it exists, the signals do not end the process, and none is
/// lost.
///
/// The handler writes the signal's number to a pipe, from which a waiting task reads it. (A
/// dispatch source for signals loses those that arrive during its setup.)
struct Signals: AsyncSequence {
    struct Signal: Sendable {
        let number: Int32
        let name: String

        static let terminate = Signal(number: SIGTERM, name: "SIGTERM")
        static let hangUp = Signal(number: SIGHUP, name: "SIGHUP")
        static let interrupt = Signal(number: SIGINT, name: "SIGINT")
    }

    /// The pipe could not be created.
    struct NoPipe: Error, CustomStringConvertible {
        let reason: Errno

        var description: String { "cannot handle signals: cannot create a pipe: \(reason)" }
    }

    /// Both ends of the pipe, created before the first handler is installed and never closed;
    /// -1 without a pipe.
    private struct Pipe {
        var read: Int32 = -1
        var write: Int32 = -1
        /// Why creating the pipe failed.
        var failure: Errno?

        init() {
            var ends: [Int32] = [-1, -1]
            // Invariant: the call writes two numbers, and the array has room for two.
            guard unsafe Glibc.pipe(&ends) == 0 else {
                failure = Errno(rawValue: errno)
                return
            }
            for end in ends {
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            }
            (read, write) = (ends[0], ends[1])
        }
    }

    private static let pipe = Pipe()

    private let stream: AsyncStream<Signal>

    init(_ signals: [Signal]) throws(NoPipe) {
        if let reason = Self.pipe.failure { throw NoPipe(reason: reason) }
        let source = DispatchSource.makeReadSource(
            fileDescriptor: Self.pipe.read, queue: .global())
        stream = AsyncStream { continuation in
            source.setEventHandler {
                var number: UInt8 = 0
                // Reads one byte at a time; the source fires again while there are more.
                guard unsafe read(Self.pipe.read, &number, 1) == 1 else { return }
                signals.filter { $0.number == Int32(number) }.forEach { continuation.yield($0) }
            }
            let held = Held(source: source)
            continuation.onTermination = { _ in held.source.cancel() }
        }
        source.resume()
        for item in signals {
            signal(item.number) { number in
                var byte = UInt8(truncatingIfNeeded: number)
                // A signal handler may call `write`. If the pipe is full, enough signals are
                // waiting.
                _ = unsafe write(Signals.pipe.write, &byte, 1)
            }
        }
    }

    /// Invariant of `@unchecked Sendable`: any thread may cancel a dispatch source.
    private struct Held: @unchecked Sendable {
        let source: any DispatchSourceRead
    }

    func makeAsyncIterator() -> AsyncStream<Signal>.Iterator { stream.makeAsyncIterator() }
}
