package import NIOCore
internal import NIOPosix
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// Runs the jobs of a task on an event loop, so that a handler stays on the loop of its connection.
package final class LoopExecutor: TaskExecutor {
    /// The loop that runs the jobs.
    package let eventLoop: any EventLoop

    /// An executor for a loop.
    package init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Runs a job in a later turn of the loop.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // Invariant: the loop runs a job exactly once.
        eventLoop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// Runs jobs on a pool of threads: blocking handlers, and the work for shadows.
package final class ThreadExecutor: TaskExecutor {
    private let pool: NIOThreadPool
    private let yields: Bool
    /// Set on threads whose priority has been lowered.
    private let isLowered = ThreadSpecificVariable<Mark>()
    /// Jobs that no thread has begun.
    private let waiting = Atomic<Int>(0)
    /// The wait of the last job that a thread has begun, in nanoseconds.
    private let lastDelay = Atomic<UInt64>(0)

    private final class Mark: Sendable {}

    /// - Parameter yields: whether the threads have a low priority.
    package init(threads: Int, yields: Bool = false) {
        pool = NIOThreadPool(numberOfThreads: threads)
        self.yields = yields
        pool.start()
    }

    /// Runs a job on a thread of the pool.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let submitted = NIODeadline.now().uptimeNanoseconds
        waiting.wrappingAdd(1, ordering: .relaxed)
        // Invariant: the pool calls each item once, also while it shuts down, so that tasks end.
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
            // On Linux, this affects only the calling thread.
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
        #endif
    }

    /// Ends the threads after their jobs.
    package func shutDown() async throws { try await pool.shutdownGracefully() }
}

/// A separate thread for an actor whose work waits for a disk or takes long.
package final class ActorThread: SerialExecutor {
    private let pool = NIOThreadPool(numberOfThreads: 1)

    /// Starts the thread.
    package init() { pool.start() }

    /// Runs a job on the thread.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // Invariant: the pool calls each item once, also while it shuts down, so that tasks end.
        pool.submit { _ in
            unsafe job.runSynchronously(on: self.asUnownedSerialExecutor())
        }
    }

    /// Ends the thread after its jobs.
    package func shutDown() { pool.shutdownGracefully { _ in } }
}
