internal import Dispatch

#if canImport(Glibc)
    internal import Glibc
#endif

/// POSIX signals as a sequence; while it is iterated, they don't end the process.
struct Signals: AsyncSequence {
    struct Signal: Sendable {
        let number: Int32
        let name: String

        static let terminate = Signal(number: SIGTERM, name: "SIGTERM")
        static let interrupt = Signal(number: SIGINT, name: "SIGINT")
    }

    private let stream: AsyncStream<Signal>

    init(_ signals: [Signal]) {
        stream = AsyncStream { continuation in
            let sources = Sources(
                signals.map { item in
                    // The default action, ending the process, is replaced by the source.
                    signal(item.number, SIG_IGN)
                    let source = DispatchSource.makeSignalSource(
                        signal: item.number, queue: .global())
                    source.setEventHandler { continuation.yield(item) }
                    source.resume()
                    return source
                })
            continuation.onTermination = { _ in sources.cancel() }
        }
    }

    /// `@unchecked Sendable`: dispatch sources may be cancelled from any thread.
    private final class Sources: @unchecked Sendable {
        private let sources: [any DispatchSourceSignal]

        init(_ sources: [any DispatchSourceSignal]) { self.sources = sources }

        func cancel() {
            for source in sources { source.cancel() }
        }
    }

    func makeAsyncIterator() -> AsyncStream<Signal>.Iterator { stream.makeAsyncIterator() }
}
