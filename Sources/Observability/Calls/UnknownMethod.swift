/// A method that no backend of an endpoint has answered yet on one loop: clients can send any path.
/// All targets of its path share it. Confined to its loop.
package final class UnknownMethod {
    private let method: String
    private let endpoint: String
    private let metrics: LoopMetrics
    private var isRefused = false

    /// Whether a backend has answered, so that calls are counted under the method's name.
    package private(set) var isAnswered = false

    package init(_ method: String, of endpoint: String, _ metrics: LoopMetrics) {
        self.method = method
        self.endpoint = endpoint
        self.metrics = metrics
    }

    /// Records that a backend has answered the method with a message or with OK.
    package func answered() {
        guard !isAnswered, !isRefused else { return }
        isAnswered = metrics.noteAnswered(method, of: endpoint)
        isRefused = !isAnswered
    }
}

/// The counts of a call that began before a backend had answered its method.
package struct ProvisionalCount {
    package let method: UnknownMethod
    /// The counts of all unknown methods, where the call is counted as in flight.
    package let metrics: CallMetrics

    package init(method: UnknownMethod, metrics: CallMetrics) {
        self.method = method
        self.metrics = metrics
    }
}
