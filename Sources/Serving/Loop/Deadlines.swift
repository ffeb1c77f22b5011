internal import NIOCore

/// A call that has a deadline.
protocol DeadlineOwner: AnyObject {
    func deadlinePassed()
}

/// The deadlines of one loop: a wheel, and the timer that advances it.
///
/// Invariant of `@unchecked Sendable`: every stored `var` is used only on the event loop.
final class Deadlines: @unchecked Sendable {
    typealias Token = DeadlineWheel<any DeadlineOwner>.Token

    private let eventLoop: any EventLoop
    private var wheel: DeadlineWheel<any DeadlineOwner>
    private var wakeAt: UInt64?

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        wheel = DeadlineWheel(now: eventLoop.now.uptimeNanoseconds)
    }

    /// - Parameter due: nanoseconds of the loop's clock.
    func set(_ owner: any DeadlineOwner, at due: UInt64) -> Token {
        wake(at: due)
        return wheel.insert(due: due, owner)
    }

    func clear(_ token: Token) { wheel.remove(token) }

    private func wake(at next: UInt64) {
        guard next < wakeAt ?? .max else { return }
        wakeAt = next
        eventLoop.scheduleTask(deadline: .uptimeNanoseconds(next)) {
            guard self.wakeAt == next else { return }
            self.wakeAt = nil
            var expired: [any DeadlineOwner] = []
            self.wheel.advance(to: self.eventLoop.now.uptimeNanoseconds) { expired.append($0) }
            for owner in expired { owner.deadlinePassed() }
            if let next = self.wheel.nextWake { self.wake(at: next) }
        }
    }
}
