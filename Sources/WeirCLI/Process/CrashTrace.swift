internal import CExecInfo
internal import Foundation
internal import Logs
internal import Synchronization

/// Ends a crashing process within milliseconds, and writes a trace to standard error: the signal,
/// and the addresses of the thread's frames. (Swift's backtracer reads the symbols of the whole
/// program. Meanwhile the ports stay open for seconds, but requests are not served.)
///
/// ```
///   signal -> lines that wait are written -> trace -> default action of the signal: core dump, end
///                  for at most 200 ms
/// ```
///
/// A signal handler may interrupt any code. This one therefore calls only functions that
/// signal-safety(7) lists, and `backtrace` and `backtrace_symbols_fd`, which do not allocate memory
/// after their first call.
enum CrashTrace {
    /// The signals that end a crashing process.
    private static let signals = [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGQUIT]
    private static let maxFrames: Int32 = 64
    /// The process ends after at most this many seconds.
    private static let maxSeconds: UInt32 = 1
    /// How often the handler checks whether the log is written, and how long it waits each time.
    private static let flushChecks = 100
    private static let flushCheckMicroseconds: UInt32 = 2_000

    /// Invariant: written only by the one thread that sets `isCrashing`.
    nonisolated(unsafe) private static let frames =
        UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: Int(maxFrames))
    private static let isCrashing = Atomic<Bool>(false)

    /// Installs the handler, unless the environment enables or configures Swift's backtracer.
    static func install() {
        let setting = ProcessInfo.processInfo.environment["SWIFT_BACKTRACE"] ?? "enable=no"
        guard setting.split(separator: ",").contains("enable=no") else { return }
        // Initialises lazy values now, because the handler must not allocate memory.
        _ = unsafe backtrace(frames, 1)
        _ = (LogWriter.standardError.waitingLines, isCrashing.load(ordering: .relaxed))
        var text = SignalSafeText()
        text.append(0, radix: 10)
        var action = sigaction()
        // The handler is a C function without captures.
        unsafe action.__sigaction_handler.sa_sigaction = { number, info, _ in
            unsafe CrashTrace.crashed(number, info)
        }
        // A crash within the handler ends the process at once. Only the main thread has the
        // alternative stack.
        unsafe sigemptyset(&action.sa_mask)
        for number in signals { unsafe sigaddset(&action.sa_mask, number) }
        action.sa_flags = SA_SIGINFO | SA_ONSTACK
        for number in signals { _ = unsafe sigaction(number, &action, nil) }
    }

    private static func crashed(_ number: Int32, _ info: UnsafeMutablePointer<siginfo_t>?) {
        guard !isCrashing.exchange(true, ordering: .relaxed) else {
            // Another thread is writing its trace, and will end the process.
            while true { pause() }
        }
        signal(SIGALRM, SIG_DFL)
        alarm(maxSeconds)
        for _ in 0..<flushChecks where LogWriter.standardError.waitingLines > 0 {
            usleep(flushCheckMicroseconds)
        }
        var text = SignalSafeText()
        text.append("weir: crashed: signal ")
        text.append(UInt(number), radix: 10)
        text.append(Self.name(number))
        text.append(" at address 0x")
        // The field is valid only for fault signals; for others it has another meaning.
        text.append(UInt(bitPattern: unsafe info?.pointee._sifields._sigfault.si_addr), radix: 16)
        text.append(", process ")
        text.append(UInt(getpid()), radix: 10)
        text.append("; backtrace of its thread:\n")
        text.write()
        let count = unsafe backtrace(frames, maxFrames)
        unsafe backtrace_symbols_fd(frames, count, STDERR_FILENO)
        signal(number, SIG_DFL)
        // Delivered when the handler returns.
        raise(number)
    }

    private static func name(_ number: Int32) -> StaticString {
        switch number {
        case SIGILL: " (SIGILL, illegal instruction)"
        case SIGTRAP: " (SIGTRAP, trap)"
        case SIGABRT: " (SIGABRT, aborted)"
        case SIGBUS: " (SIGBUS, bus error)"
        case SIGFPE: " (SIGFPE, arithmetic error)"
        case SIGSEGV: " (SIGSEGV, segmentation fault)"
        default: " (SIGQUIT, quit)"
        }
    }
}

/// A line that is built without allocating memory.
private struct SignalSafeText {
    private static let capacity = 256
    /// Invariant: written only by the crashing thread.
    nonisolated(unsafe) private static let bytes =
        UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    private var count = 0

    private mutating func append(_ byte: UInt8) {
        guard count < Self.capacity else { return }
        unsafe Self.bytes[count] = byte
        count += 1
    }

    mutating func append(_ text: StaticString) {
        // Invariant: a static string is a pointer to constant bytes.
        for index in 0..<text.utf8CodeUnitCount { append(unsafe text.utf8Start[index]) }
    }

    mutating func append(_ number: UInt, radix: UInt) {
        var divisor: UInt = 1
        while number / divisor >= radix { divisor *= radix }
        while divisor > 0 {
            let digit = UInt8(truncatingIfNeeded: number / divisor % radix)
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            divisor /= radix
        }
    }

    func write() { _ = unsafe Foundation.write(STDERR_FILENO, Self.bytes, count) }
}
