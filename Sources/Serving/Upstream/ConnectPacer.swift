internal import NIOCore

/// Spreads out the connecting of one loop: one that connects to thousands of replicas at once, as after a
/// start with a large state, would answer nobody meanwhile. Requests don't wait for their turn here;
/// what they need is connected to at once.
///
/// `@unchecked Sendable`: confined to its loop.
final class ConnectPacer: @unchecked Sendable {
    /// Attempts that are made at once after a quiet time.
    private static let burst = 64
    /// Attempts in a millisecond while more wait.
    private static let perTick = 2

    private let eventLoop: any EventLoop
    private var waiting: [LoopReplica] = []
    /// Of `waiting`, those that have had their turn.
    private var served = 0
    private var allowance = ConnectPacer.burst
    private var isTicking = false

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Has a replica connected to when it is its turn. To be asked once until then.
    func enqueue(_ replica: LoopReplica) {
        waiting.append(replica)
        serve()
    }

    private func serve() {
        while allowance > 0, served < waiting.count {
            allowance -= 1
            served += 1
            waiting[served - 1].itsTurnToConnect()
        }
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
