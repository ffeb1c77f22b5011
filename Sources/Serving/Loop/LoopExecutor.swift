package import NIOCore
internal import NIOPosix

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

/// Runs what may keep a thread busy away from the event loops: handlers that block, and all work for shadows.
final class ThreadExecutor: TaskExecutor {
    private let pool: NIOThreadPool
    private let yields: Bool
    /// Set on threads whose priority has been lowered.
    private let isLowered = ThreadSpecificVariable<Mark>()

    private final class Mark: Sendable {}

    /// - Parameter yields: whether the threads let all others go first.
    init(threads: Int, yields: Bool = false) {
        pool = NIOThreadPool(numberOfThreads: threads)
        self.yields = yields
        pool.start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // A pool that shuts down still calls its items; a job must run to let its task end.
        pool.submit { _ in
            self.lowerPriority()
            unsafe job.runSynchronously(on: self.asUnownedTaskExecutor())
        }
    }

    private func lowerPriority() {
        guard yields, isLowered.currentValue == nil else { return }
        isLowered.currentValue = Mark()
        #if canImport(Glibc)
            // On Linux this is about the calling thread only.
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
        #endif
    }

    func shutDown() async throws { try await pool.shutdownGracefully() }
}

/// A thread of its own for an actor whose work would hold others up: it waits for a disk, or takes long.
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
