internal import CExecInfo
internal import Foundation
internal import Synchronization

/// Ends a process that crashes within milliseconds, and leaves a trace on standard error: the
/// signal, and the addresses of the thread's frames. (Swift's backtracer reads the symbols of the
/// whole program, which takes seconds, in which the ports stay open but are not served.)
///
/// ```
///   signal -> lines that wait are written -> trace -> default action of the signal: core dump, end
///                  for at most 200 ms
/// ```
///
/// A handler of signals may interrupt any code, so this one only calls functions that
/// signal-safety(7) lists, and `backtrace` and `backtrace_symbols_fd`, which allocate no memory
/// after their first call.
enum CrashTrace {
    /// Signals of a crash.
    private static let signals = [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGQUIT]
    private static let maxFrames: Int32 = 64
    /// After so many seconds, the process ends in any case.
    private static let maxSeconds: UInt32 = 1
    /// How often the handler looks whether the log is written, and how long it waits each time.
    private static let flushChecks = 100
    private static let flushCheckMicroseconds: UInt32 = 2_000

    /// Written by the one thread that sets `isCrashing`.
    nonisolated(unsafe) private static let frames =
        UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: Int(maxFrames))
    private static let isCrashing = Atomic<Bool>(false)

    /// Installs the handler, unless the environment configures Swift's backtracer.
    static func install() {
        guard ProcessInfo.processInfo.environment["SWIFT_BACKTRACE"] == nil else { return }
        // Whatever is initialised at its first use is used once before a crash.
        _ = unsafe backtrace(frames, 1)
        _ = (LogWriter.standardError.waitingLines, isCrashing.load(ordering: .relaxed))
        var text = SignalSafeText()
        text.append(0, radix: 10)
        var action = sigaction()
        // The handler is a C function without captures.
        unsafe action.__sigaction_handler.sa_sigaction = { number, info, _ in
            unsafe CrashTrace.crashed(number, info)
        }
        // A crash within the handler ends the process at once. The alternative stack is there on
        // the main thread only.
        unsafe sigemptyset(&action.sa_mask)
        for number in signals { unsafe sigaddset(&action.sa_mask, number) }
        action.sa_flags = SA_SIGINFO | SA_ONSTACK
        for number in signals { _ = unsafe sigaction(number, &action, nil) }
    }

    private static func crashed(_ number: Int32, _ info: UnsafeMutablePointer<siginfo_t>?) {
        guard !isCrashing.exchange(true, ordering: .relaxed) else {
            // Another thread writes its trace, and then ends the process.
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
        // The field is set for the signals of faults; for others it is another number.
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

/// A line that is put together without allocating memory.
private struct SignalSafeText {
    private static let capacity = 256
    /// Written by one thread, the one that crashes.
    nonisolated(unsafe) private static let bytes =
        UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    private var count = 0

    private mutating func append(_ byte: UInt8) {
        guard count < Self.capacity else { return }
        unsafe Self.bytes[count] = byte
        count += 1
    }

    mutating func append(_ text: StaticString) {
        // A static string is a pointer to constant bytes.
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
