internal import NIOCore
package import NIOEmbedded

/// An event loop whose clock the test controls. It runs on the thread of the test.
package struct EmbeddedLoop: ~Copyable {
    /// The loop, for the code under test.
    package let eventLoop = EmbeddedEventLoop()

    /// A loop whose clock has run for a day, so that times before now are positive.
    package init() { advance(by: .seconds(86_400)) }

    deinit { try? eventLoop.syncShutdownGracefully() }

    /// Nanoseconds of the loop's clock.
    package var now: UInt64 { eventLoop.now.uptimeNanoseconds }

    /// Moves the clock, and runs the tasks that become due, each at its time.
    package func advance(by time: Duration) {
        eventLoop.advanceTime(by: TimeAmount(time))
    }

    /// Runs the tasks that are due now.
    package func run() { eventLoop.run() }
}
