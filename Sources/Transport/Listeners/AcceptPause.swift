package import Logging
internal import NIOCore

/// Pauses a listener when the system has no free file descriptors or memory. Without a pause, the
/// listener would retry continuously.
package final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = Channel

    private static let pause = TimeAmount.milliseconds(100)
    private static let reportInterval = TimeAmount.minutes(1)
    private let log: Logger
    private var isPaused = false
    private var reportsFrom = NIODeadline.uptimeNanoseconds(0)

    /// - Parameter log: reports the error, at most once a minute.
    package init(log: Logger) { self.log = log }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError, !isPaused else { return }
        isPaused = true
        report(error, at: context.eventLoop.now)
        let channel = context.channel
        channel.setOption(.autoRead, value: false).whenComplete { _ in }
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.isPaused = false
            channel.setOption(.autoRead, value: true).whenComplete { _ in }
        }
    }

    /// Logs the error at most once a minute, because the listener retries ten times a second.
    private func report(_ error: any Error, at now: NIODeadline) {
        guard now >= reportsFrom else { return }
        reportsFrom = now + Self.reportInterval
        log.error("connections cannot be accepted", metadata: ["reason": "\(systemReason(error))"])
    }
}
