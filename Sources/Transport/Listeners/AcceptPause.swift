package import Logging
internal import NIOCore

/// Lets a listener rest when the system has no more files or memory to give: until some are free,
/// it would try again and again and do nothing else.
package final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = Channel

    private static let pause = TimeAmount.milliseconds(100)
    private static let reportInterval = TimeAmount.minutes(1)
    private let log: Logger
    private var isPaused = false
    private var reportsFrom = NIODeadline.uptimeNanoseconds(0)

    package init(log: Logger) { self.log = log }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError, !isPaused else { return }
        isPaused = true
        report(error)
        let channel = context.channel
        channel.setOption(.autoRead, value: false).whenComplete { _ in }
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.isPaused = false
            channel.setOption(.autoRead, value: true).whenComplete { _ in }
        }
    }

    /// Once a minute: the listener tries ten times a second.
    private func report(_ error: any Error) {
        let now = NIODeadline.now()
        guard now >= reportsFrom else { return }
        reportsFrom = now + Self.reportInterval
        log.error("connections cannot be accepted", metadata: ["reason": "\(systemReason(error))"])
    }
}
