internal import Foundation

/// What every command does before anything else.
enum ProcessSetup {
    /// Opens `/dev/null` for each of the standard descriptors that is closed, in the mode in which
    /// its use still fails with EBADF. A file or a socket would otherwise get the number, and
    /// output would be written to it.
    static func fillStandardDescriptors() {
        for number in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(number, F_GETFD) < 0
        {
            _ = unsafe open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// Makes a write to a closed pipe (SIGPIPE) and beyond the limit of a file's size (SIGXFSZ)
    /// fail with an error instead of ending the process.
    static func reportFailedWrites() { ignore([SIGPIPE, SIGXFSZ]) }

    /// Ignores signals that this program does not use, and that would end it without a trace.
    /// Programs for logs and terminals send some of them.
    static func ignoreUnusedSignals() {
        ignore([
            SIGUSR1, SIGUSR2, SIGWINCH, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT,
            SIGXCPU,
        ])
        // The real-time signals, without the two that glibc uses.
        ignore(Array(34...64))
    }

    /// Ignores signals in this process only: unlike SIG_IGN, a handler is not inherited by its
    /// workers.
    private static func ignore(_ numbers: [Int32]) {
        for number in numbers { signal(number) { _ in } }
    }
}
