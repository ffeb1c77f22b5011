internal import NIOCore

/// Spreads out the connecting of one loop: a loop that sets up thousands of backends at once, as at
/// a start with a large state, would answer no request meanwhile. Requests do not wait for their
/// turn here; what they need is set up and connected to at once.
///
/// `@unchecked Sendable`: confined to its loop.
final class ConnectPacer: @unchecked Sendable {
    /// Pieces of work that are done at once after a quiet time.
    private static let burst = 32
    /// Pieces of work in a millisecond while more wait.
    private static let perTick = 4

    private let eventLoop: any EventLoop
    private var waiting: [() -> Void] = []
    /// Of `waiting`, those that have had their turn.
    private var served = 0
    private var allowance = ConnectPacer.burst
    private var isServing = false
    private var isTicking = false

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Does something when it is its turn: perhaps at once.
    func enqueue(_ work: @escaping () -> Void) {
        waiting.append(work)
        // Work may ask for more work, which is served in turn.
        if !isServing { serve() }
    }

    private func serve() {
        isServing = true
        while allowance > 0, served < waiting.count {
            let work = waiting[served]
            allowance -= 1
            served += 1
            work()
        }
        isServing = false
        if served == waiting.count {
            waiting.removeAll()
            served = 0
        }
        guard !isTicking, allowance < Self.burst else { return }
        isTicking = true
        eventLoop.scheduleTask(in: .milliseconds(1)) {
            self.isTicking = false
            self.allowance = min(Self.burst, self.allowance + Self.perTick)
            self.serve()
        }
    }
}
