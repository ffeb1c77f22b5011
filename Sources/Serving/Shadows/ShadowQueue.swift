internal import DequeModule
internal import NIOCore

/// The work for shadow copies on one loop. It runs after the loop's other work, in short slices
/// with pauses between them.
///
/// Invariant of `@unchecked Sendable`: every stored `var` is used only on the event loop.
final class ShadowQueue: @unchecked Sendable {
    /// The longest time of work without a pause.
    private static let sliceNanoseconds: UInt64 = 500_000
    /// The pause between two slices.
    private static let pause = TimeAmount.milliseconds(1)
    /// Mirrors between two readings of the clock.
    private static let batch = 8

    private let eventLoop: any EventLoop
    private let bytesPerMillisecond: Int
    private var mirrors: Deque<Mirror> = []
    private var isScheduled = false
    /// Copies whose response may continue.
    private var awake: [ShadowCopy] = []
    /// Copies that wait for an allowance, in order of arrival.
    private var waiting: Deque<ShadowCopy> = []
    private var isAdmitting = false
    /// Response bytes that may be read now.
    private var allowance: Int
    private var refilledAt: UInt64

    /// - Parameter bytesPerMillisecond: the average rate of the responses of all shadows.
    init(_ eventLoop: any EventLoop, bytesPerMillisecond: Int) {
        self.eventLoop = eventLoop
        self.bytesPerMillisecond = bytesPerMillisecond
        allowance = bytesPerMillisecond
        refilledAt = eventLoop.now.uptimeNanoseconds
    }

    /// Queues a mirror that has data for its copies.
    func add(_ mirror: Mirror) {
        mirrors.append(mirror)
        schedule()
    }

    /// Queues a copy whose response may continue.
    func wake(_ copy: ShadowCopy) {
        awake.append(copy)
        schedule()
    }

    private var now: UInt64 { eventLoop.now.uptimeNanoseconds }

    private func schedule() {
        guard !isScheduled else { return }
        isScheduled = true
        eventLoop.execute { self.run() }
    }

    private func run() {
        isScheduled = false
        let woken = awake
        awake.removeAll()
        for copy in woken { copy.resume() }

        let end = now + Self.sliceNanoseconds
        var done = 0
        while let mirror = mirrors.popFirst() {
            mirror.pump()
            done += 1
            if done % Self.batch == 0, now > end { break }
        }
        guard !mirrors.isEmpty, !isScheduled else { return }
        isScheduled = true
        eventLoop.scheduleTask(in: Self.pause) { self.run() }
    }

    // MARK: Pace

    /// Whether response bytes may be read now. One read may exceed the allowance, so that reads of
    /// any size succeed in the end.
    func takeAllowance(_ bytes: Int) -> Bool {
        refill()
        guard allowance > 0 else { return false }
        allowance -= bytes
        return true
    }

    private func refill() {
        let milliseconds = (now - refilledAt) / 1_000_000
        guard milliseconds > 0 else { return }
        refilledAt += milliseconds * 1_000_000
        let most = bytesPerMillisecond * 8
        allowance = min(most, allowance + Int(min(milliseconds, 1_000)) * bytesPerMillisecond)
    }

    /// Resumes the copy when the allowance permits it.
    func waitForAllowance(_ copy: ShadowCopy) {
        waiting.append(copy)
        scheduleAdmission()
    }

    private func scheduleAdmission() {
        guard !isAdmitting else { return }
        isAdmitting = true
        eventLoop.scheduleTask(in: Self.pause) {
            self.isAdmitting = false
            self.refill()
            while self.allowance > 0, let copy = self.waiting.popFirst() { copy.resume() }
            if !self.waiting.isEmpty { self.scheduleAdmission() }
        }
    }
}
