internal import Foundation

/// The process setup that every command runs first.
enum ProcessSetup {
    /// Opens `/dev/null` for each closed standard descriptor, in a mode in which its use still
    /// fails with EBADF. Otherwise a file or a socket would get the number, and output would be
    /// written to it.
    static func fillStandardDescriptors() {
        for number in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(number, F_GETFD) < 0
        {
            _ = unsafe open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// Makes a write fail with an error, instead of ending the process, when the pipe is closed
    /// (SIGPIPE) or the file size limit is reached (SIGXFSZ).
    static func reportFailedWrites() { ignore([SIGPIPE, SIGXFSZ]) }

    /// Ignores signals that the program does not use and that would end it without a trace. Log and
    /// terminal programs send some of them.
    static func ignoreUnusedSignals() {
        ignore([
            SIGUSR1, SIGUSR2, SIGWINCH, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT,
            SIGXCPU,
        ])
        // The real-time signals, without the two that glibc uses.
        ignore(Array(34...64))
    }

    /// Ignores signals in this process only. Workers inherit SIG_IGN, but not a handler.
    private static func ignore(_ numbers: [Int32]) {
        for number in numbers { signal(number) { _ in } }
    }
}
