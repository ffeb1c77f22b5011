package import HTTP2Session
package import NIOCore
package import TrafficPolicy
package import Transport

/// The state that the pools of one event loop share.
///
/// Invariant: every stored `var` is used only on `eventLoop`.
package final class LoopContext: @unchecked Sendable {
    package let connectionLoop: ConnectionLoop
    /// Marks the requests to backends; the same on all loops.
    package let viaMark: ViaMark
    package var random = LoopRandom()
    /// The limits of connections to replicas.
    let http2Limits: HTTP2Limits
    let pacer: ConnectPacer

    package init(_ connectionLoop: ConnectionLoop, viaMark: ViaMark, http2Limits: HTTP2Limits) {
        self.connectionLoop = connectionLoop
        self.viaMark = viaMark
        self.http2Limits = http2Limits
        pacer = ConnectPacer(connectionLoop.eventLoop)
    }

    package var eventLoop: any EventLoop { connectionLoop.eventLoop }

    /// Nanoseconds of the loop's clock.
    package var now: UInt64 { eventLoop.now.uptimeNanoseconds }

    /// A random number from 0 to 1.
    package func randomShare() -> Double { Double.random(in: 0..<1, using: &random) }
}
