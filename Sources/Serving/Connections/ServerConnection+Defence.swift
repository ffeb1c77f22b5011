internal import HTTP2Session
internal import Logging
internal import NIOCore
internal import Transport

/// Timeouts and limits of the conduct of a client.
extension ServerConnection {
    /// The unit of the session's clock, with which stalled streams are found.
    private static let clockNanoseconds: UInt64 = 250_000_000
    /// The value of keepalive PINGs.
    private static let keepalivePing: UInt64 = 0x7765_6972_6b65_6570

    /// Checks the client's conduct after a read.
    func checkConduct() {
        timeouts.received(at: readTime, isReceivingHeaders: session.isReceivingHeaders)
        let frames = session.takeOverheadFrames()
        if frames > 0 { penalize(conduct.sent(overheadFrames: frames, at: readTime)) }
        let overhead = frames + Self.resetWeight * resetsOfRead
        resetsOfRead = 0
        guard overhead > Self.toleratedOverhead else { return }
        // Limits such a client to a tenth of the loop's time.
        let spent = loop.now &- readTime
        http2.pauseReading(for: .nanoseconds(Int64(clamping: 9 * spent)))
    }

    /// The weight of a reset stream, in frames without content.
    private static let resetWeight = 8
    /// Frames without content in one read that have no effect.
    private static let toleratedOverhead = 64

    /// Closes the connection because of the client's conduct.
    func penalize(_ offence: ClientConduct.Offence?) {
        guard let offence, !isEnding else { return }
        isEnding = true
        connections.logClosing(peer, offence.reason)
        session.goAway(.enhanceYourCalm, reason: offence.reason)
        http2.closeSoon()
    }

    func checkTimeouts(at now: UInt64) {
        let open = session.openStreams
        switch timeouts.check(
            loop.limits, at: now, lastReceived: readTime, openStreams: open)
        {
        case .wait: break
        case .ping:
            session.ping(Self.keepalivePing)
            changed()
        case .drain: drain()
        case .close(let reason):
            loop.log.debug(
                "closing connection", metadata: ["peer": "\(peer.text)", "reason": "\(reason)"])
            session.goAway(.noError, reason: reason)
            return http2.closeSoon()
        }
        resetStalledStreams(now)
        releaseUnused()
    }

    static func clock(at now: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: now / clockNanoseconds)
    }

    private func resetStalledStreams(_ now: UInt64) {
        session.clock = Self.clock(at: now)
        let limit = loop.limits.slowReaderTimeout.nanoseconds / Self.clockNanoseconds
        guard UInt64(session.clock) > limit else { return }
        let stalled = session.stalledStreams(since: session.clock - UInt32(limit))
        guard !stalled.isEmpty else { return }
        loop.log.debug(
            "resetting streams whose responses the client does not read",
            metadata: ["peer": "\(peer.text)", "streams": "\(stalled.count)"])
        for stream in stalled { session.reset(stream, .cancel) }
        changed()
    }
}
