internal import Dispatch
internal import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#endif

/// POSIX signals as a sequence; from its making on they don't end the process, and none is lost.
///
/// The handler writes the signal's number into a pipe, from which a waiting task reads it.
/// (A dispatch source for signals loses those that come while it is being set up.)
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
        /// Why there is no pipe.
        var failure: Errno?

        init() {
            var ends: [Int32] = [-1, -1]
            // The array holds the two numbers that are written.
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
                // One byte at a time: the source fires again while there are more.
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
                // `write` may be called from a signal handler; a full pipe has enough of them.
                _ = unsafe write(Signals.pipe.write, &byte, 1)
            }
        }
    }

    /// `@unchecked Sendable`: dispatch sources may be cancelled from any thread.
    private struct Held: @unchecked Sendable {
        let source: any DispatchSourceRead
    }

    func makeAsyncIterator() -> AsyncStream<Signal>.Iterator { stream.makeAsyncIterator() }
}
