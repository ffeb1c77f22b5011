internal import Synchronization

/// Renders a text once for all requests that wait for it at the same time. Rendering many series
/// takes long, and every client of the metrics port can ask for it, without credentials.
final class SharedRendering<Form: Hashable & Sendable>: Sendable {
    private struct State {
        var running: [Form: Task<[UInt8]?, Never>] = [:]
        var waiting = 0
    }

    private let maxWaiting: Int
    private let state = Mutex(State())

    /// - Parameter maxWaiting: the most requests that wait.
    init(maxWaiting: Int = 32) { self.maxWaiting = maxWaiting }

    /// The number of requests that wait.
    var waiting: Int { state.withLock { $0.waiting } }

    /// The text of the rendering that runs, or of a new one.
    ///
    /// - Returns: nil if too many requests wait, else the result of `render`.
    func body(
        _ form: Form, _ render: @escaping @Sendable () async -> [UInt8]?
    ) async -> [UInt8]?? {
        let task = state.withLock { state -> Task<[UInt8]?, Never>? in
            guard state.waiting < maxWaiting else { return nil }
            state.waiting += 1
            if let running = state.running[form] { return running }
            let task = Task {
                let body = await render()
                self.state.withLock { $0.running[form] = nil }
                return body
            }
            state.running[form] = task
            return task
        }
        guard let task else { return nil }
        let body = await task.value
        state.withLock { $0.waiting -= 1 }
        return .some(body)
    }
}
