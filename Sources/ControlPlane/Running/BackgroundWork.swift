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
    var tasks: [Task<Void, Never>] = []
}
