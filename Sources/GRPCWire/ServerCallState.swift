/// The state of one call in a server. Each event returns the action to execute.
///
/// ```
///                message                       message
///   idle ----------------------> responding -------------.
///    |                            |      ^---------------'
///    | finish                     | finish
///    v                            v
///   ended (trailers-only)        ended (trailers)
///
///   any state -- closed --> gone: cancels the handler unless ended
/// ```
///
/// Invalid steps. *Ours*: none are possible. *The peer's*: the caller of `received(message:)`
/// rejects a second message of a unary call. *Ignorable*: sending or finishing after the end or
/// after the stream closed (the handler may not know yet).
package struct ServerCallState: ~Copyable {
    private enum Response { case idle, responding, ended, gone }

    private var response = Response.idle

    package init() {}

    package enum SendAction: Equatable { case sendHeadersAndMessage, sendMessage, drop }
    package enum FinishAction: Equatable { case sendTrailersOnly, sendTrailers, drop }
    package enum CloseAction: Equatable { case cancelHandler, nothing }

    /// Whether the call can still be answered.
    package var isOpen: Bool { response == .idle || response == .responding }

    /// Whether no response headers were sent, and the call can still be answered.
    package var isIdle: Bool { response == .idle }

    /// Whether response headers were sent.
    package var hasResponded: Bool { response == .responding }

    /// The handler sends a message or, with `headersOnly`, only the headers.
    package mutating func send() -> SendAction {
        switch response {
        case .idle:
            response = .responding
            return .sendHeadersAndMessage
        case .responding: return .sendMessage
        case .ended, .gone: return .drop
        }
    }

    /// The call ends with a status.
    package mutating func finish() -> FinishAction {
        switch response {
        case .idle:
            response = .ended
            return .sendTrailersOnly
        case .responding:
            response = .ended
            return .sendTrailers
        case .ended, .gone: return .drop
        }
    }

    /// The stream closed: it was reset, or both sides ended.
    package mutating func closed() -> CloseAction {
        defer { response = .gone }
        return isOpen ? .cancelHandler : .nothing
    }
}
