internal import DequeModule
internal import NIOCore

/// Spreads the connection attempts of one loop over time. A loop that connects to thousands of
/// backends at once, for example at a start with a large state, could answer no request meanwhile.
/// A request does not wait for the pacer: the loop connects to its backend at once.
///
/// Invariant: every stored `var` is used only on the loop.
final class ConnectPacer: @unchecked Sendable {
    /// Work items that run without a pause after an idle time.
    private static let burst = 32
    /// Work items in a millisecond while more wait.
    private static let perTick = 4

    private let eventLoop: any EventLoop
    private var waiting: Deque<() -> Void> = []
    private var allowance = ConnectPacer.burst
    private var isServing = false
    private var isTicking = false

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Runs a work item in turn, perhaps at once.
    func enqueue(_ work: @escaping () -> Void) {
        waiting.append(work)
        // An item may enqueue further items, which run in turn.
        if !isServing { serve() }
    }

    private func serve() {
        isServing = true
        while allowance > 0, let work = waiting.popFirst() {
            allowance -= 1
            work()
        }
        isServing = false
        guard !isTicking, allowance < Self.burst else { return }
        isTicking = true
        eventLoop.scheduleTask(in: .milliseconds(1)) {
            self.isTicking = false
            self.allowance = min(Self.burst, self.allowance + Self.perTick)
            self.serve()
        }
    }
}
