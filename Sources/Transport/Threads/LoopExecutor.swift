package import NIOCore
internal import NIOPosix
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// Runs a task's jobs on an event loop, so that a handler never leaves the loop of its connection.
package final class LoopExecutor: TaskExecutor {
    package let eventLoop: any EventLoop

    package init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // The runtime hands a job over to be run exactly once, which the loop does.
        eventLoop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// Runs what may keep a thread busy away from the event loops: handlers that block, and all work
/// for shadows.
package final class ThreadExecutor: TaskExecutor {
    private let pool: NIOThreadPool
    private let yields: Bool
    /// Set on threads whose priority has been lowered.
    private let isLowered = ThreadSpecificVariable<Mark>()
    /// Jobs that no thread has begun.
    private let waiting = Atomic<Int>(0)
    /// How long the last one that was begun had waited, in nanoseconds.
    private let lastDelay = Atomic<UInt64>(0)

    private final class Mark: Sendable {}

    /// - Parameter yields: whether the threads let all others go first.
    package init(threads: Int, yields: Bool = false) {
        pool = NIOThreadPool(numberOfThreads: threads)
        self.yields = yields
        pool.start()
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let submitted = NIODeadline.now().uptimeNanoseconds
        waiting.wrappingAdd(1, ordering: .relaxed)
        // A pool that shuts down still calls its items; a job must run to let its task end.
        pool.submit { _ in
            self.waiting.wrappingSubtract(1, ordering: .relaxed)
            let delay = NIODeadline.now().uptimeNanoseconds &- submitted
            self.lastDelay.store(delay, ordering: .relaxed)
            self.lowerPriority()
            unsafe job.runSynchronously(on: self.asUnownedTaskExecutor())
        }
    }

    /// How long jobs wait for a thread, in nanoseconds; nil when none waits.
    package var delay: UInt64? {
        waiting.load(ordering: .relaxed) > 0 ? lastDelay.load(ordering: .relaxed) : nil
    }

    private func lowerPriority() {
        guard yields, isLowered.currentValue == nil else { return }
        isLowered.currentValue = Mark()
        #if canImport(Glibc)
            // On Linux this is about the calling thread only.
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
        #endif
    }

    package func shutDown() async throws { try await pool.shutdownGracefully() }
}

/// A thread of its own for an actor whose work would hold others up: it waits for a disk, or takes
/// long.
package final class ActorThread: SerialExecutor {
    private let pool = NIOThreadPool(numberOfThreads: 1)

    package init() { pool.start() }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // A pool that shuts down still calls its items; a job must run to let its task end.
        pool.submit { _ in
            unsafe job.runSynchronously(on: self.asUnownedSerialExecutor())
        }
    }

    /// Ends the thread when its work is done.
    package func shutDown() { pool.shutdownGracefully { _ in } }
}
