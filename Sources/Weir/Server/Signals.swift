internal import Dispatch
internal import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#endif

/// POSIX signals as a sequence; from its making on they don't end the process, and none is lost.
///
/// The handler writes the signal's number into a pipe, from which it is read whenever somebody waits.
/// (A dispatch source for signals loses those that come while it is being set up.)
struct Signals: AsyncSequence {
    struct Signal: Sendable {
        let number: Int32
        let name: String

        static let terminate = Signal(number: SIGTERM, name: "SIGTERM")
        static let hangUp = Signal(number: SIGHUP, name: "SIGHUP")
        static let interrupt = Signal(number: SIGINT, name: "SIGINT")
    }

    /// The process has no file descriptors left for the pipe.
    struct NoPipe: Error, CustomStringConvertible {
        let code: Int32

        var description: String {
            "cannot handle signals: no pipe: \(Errno(rawValue: code))"
        }
    }

    /// Both ends of the pipe, made before the first handler is installed and never closed; -1 if it could not
    /// be made.
    private static let pipe: (read: Int32, write: Int32) = {
        var ends: [Int32] = [-1, -1]
        // The array holds the two numbers that are written.
        guard unsafe Glibc.pipe(&ends) == 0 else { return (-1, -1) }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        return (ends[0], ends[1])
    }()

    private let stream: AsyncStream<Signal>

    init(_ signals: [Signal]) throws(NoPipe) {
        guard Self.pipe.read >= 0 else { throw NoPipe(code: EMFILE) }
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
