internal import DequeModule
internal import NIOCore

/// The work for shadows on one loop, done when the loop's own is: after what a turn of the loop has
/// read was passed on, in short slices with pauses while there is much.
///
/// `@unchecked Sendable`: every stored `var` is only touched on the event loop.
final class ShadowQueue: @unchecked Sendable {
    /// How long copies are worked on without a pause.
    private static let sliceNanoseconds: UInt64 = 500_000
    /// Between two slices, when one was not enough.
    private static let pause = TimeAmount.milliseconds(1)
    /// Mirrors between two looks at the clock.
    private static let batch = 8

    private let eventLoop: any EventLoop
    private let bytesPerMillisecond: Int
    private var mirrors: Deque<Mirror> = []
    private var isScheduled = false
    /// Copies whose response may go on.
    private var awake: [ShadowCopy] = []
    /// Copies that wait for an allowance, first come, first served.
    private var waiting: Deque<ShadowCopy> = []
    private var isAdmitting = false
    /// Response bytes that may be asked for now.
    private var allowance: Int
    private var refilledAt = NIODeadline.now().uptimeNanoseconds

    /// - Parameter bytesPerMillisecond: of all shadows' responses together, on average.
    init(_ eventLoop: any EventLoop, bytesPerMillisecond: Int) {
        self.eventLoop = eventLoop
        self.bytesPerMillisecond = bytesPerMillisecond
        allowance = bytesPerMillisecond
    }

    /// A mirror has something for its copies.
    func add(_ mirror: Mirror) {
        mirrors.append(mirror)
        schedule()
    }

    /// A copy's response may go on.
    func wake(_ copy: ShadowCopy) {
        awake.append(copy)
        schedule()
    }

    private func schedule() {
        guard !isScheduled else { return }
        isScheduled = true
        eventLoop.execute { self.run() }
    }

    private func run() {
        isScheduled = false
        let woken = awake
        awake.removeAll()
        for copy in woken { copy.goOn() }

        let end = NIODeadline.now().uptimeNanoseconds + Self.sliceNanoseconds
        var done = 0
        while let mirror = mirrors.popFirst() {
            mirror.pump()
            done += 1
            if done % Self.batch == 0, NIODeadline.now().uptimeNanoseconds > end { break }
        }
        guard !mirrors.isEmpty, !isScheduled else { return }
        isScheduled = true
        eventLoop.scheduleTask(in: Self.pause) { self.run() }
    }

    // MARK: Pace

    /// Whether response bytes may be read now. An allowance may be overdrawn once, so that it lets
    /// any size pass in the end.
    func takeAllowance(_ bytes: Int) -> Bool {
        refill()
        guard allowance > 0 else { return false }
        allowance -= bytes
        return true
    }

    private func refill() {
        let now = NIODeadline.now().uptimeNanoseconds
        let milliseconds = (now - refilledAt) / 1_000_000
        guard milliseconds > 0 else { return }
        refilledAt += milliseconds * 1_000_000
        let most = bytesPerMillisecond * 8
        allowance = min(most, allowance + Int(min(milliseconds, 1_000)) * bytesPerMillisecond)
    }

    /// Tells the copy when it is its turn.
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
            while self.allowance > 0, let copy = self.waiting.popFirst() { copy.goOn() }
            if !self.waiting.isEmpty { self.scheduleAdmission() }
        }
    }
}
