internal import HTTP2Session
internal import Logging
internal import NIOCore
internal import Transport

/// What a connection does about clients that misbehave, or have gone without a word.
extension ServerConnection {
    /// The unit of the session's clock, by which streams are found to stall.
    private static let clockNanoseconds: UInt64 = 250_000_000
    /// The value of the PING that asks for a sign of life.
    private static let keepalivePing: UInt64 = 0x7765_6972_6b65_6570

    /// A read has been handled.
    func judgeRead() {
        timeouts.received(at: readTime, isReceivingHeaders: session.isReceivingHeaders)
        let frames = session.takeOverheadFrames()
        if frames > 0 { penalize(conduct.sent(overheadFrames: frames, at: readTime)) }
        let waste = frames + Self.resetWeight * resetsOfRead
        resetsOfRead = 0
        guard waste > Self.toleratedWaste else { return }
        // Such a client gets a tenth of the loop's time at most.
        let spent = NIODeadline.now().uptimeNanoseconds &- readTime
        http2.pauseReading(for: .nanoseconds(Int64(clamping: 9 * spent)))
    }

    /// What a stream that was broken off counts, in frames without content.
    private static let resetWeight = 8
    /// So many of these in one read are nothing unusual.
    private static let toleratedWaste = 64

    /// Sends the client away for what it has done.
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
            "resetting streams whose responses nobody reads",
            metadata: ["peer": "\(peer.text)", "streams": "\(stalled.count)"])
        for stream in stalled { session.reset(stream, .cancel) }
        changed()
    }
}
