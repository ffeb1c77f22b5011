/// The work of a control plane besides its changes, until the server stops.
struct BackgroundWork {
    typealias Signal = (
        stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation
    )

    /// Yields when a backend becomes usable or unusable.
    let availability: Signal = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    /// Yields when the reflection of a backend has given other descriptors.
    let schemas: Signal = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    /// Yields when a change is accepted.
    let accepted: Signal = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    typealias Work = @Sendable () async -> Void
    /// Work that runs one after the other. A queue that is full loses its oldest entry.
    let serial: (stream: AsyncStream<Work>, continuation: AsyncStream<Work>.Continuation) =
        AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
    /// Work that begins at once.
    let concurrent: (stream: AsyncStream<Work>, continuation: AsyncStream<Work>.Continuation) =
        AsyncStream.makeStream()
    /// Yields the time after which to review the leases.
    let leases = AsyncStream<Duration>.makeStream(bufferingPolicy: .bufferingNewest(1_024))
    var tasks: [Task<Void, Never>] = []

    /// Runs `serial` and `concurrent` until it is cancelled.
    func runners() -> [Task<Void, Never>] {
        let (serial, concurrent) = (serial.stream, concurrent.stream)
        return [
            Task { for await work in serial { await work() } },
            Task {
                await withDiscardingTaskGroup { group in
                    for await work in concurrent { group.addTask { await work() } }
                }
            },
        ]
    }
}
