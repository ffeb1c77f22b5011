/// What a server has received and sent on one call; says what to put on the wire for each step.
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
/// Invalid steps. *Ours*: none can be made. *The peer's*: a second message of a unary call is for
/// the caller of `received(message:)` to refuse. *Ignorable*: sending or finishing after the end
/// or after the stream has gone (the handler could not know yet).
package struct ServerCallState: ~Copyable {
    private enum Response { case idle, responding, ended, gone }

    private var response = Response.idle

    package init() {}

    package enum SendAction: Equatable { case sendHeadersAndMessage, sendMessage, drop }
    package enum FinishAction: Equatable { case sendTrailersOnly, sendTrailers, drop }
    package enum CloseAction: Equatable { case cancelHandler, nothing }

    /// The call can still be answered.
    package var isOpen: Bool { response == .idle || response == .responding }

    /// Response headers have gone out.
    package var hasResponded: Bool { response == .responding }

    /// The handler gives a message; or, with `headersOnly`, wants the headers out.
    package mutating func send() -> SendAction {
        switch response {
        case .idle:
            response = .responding
            return .sendHeadersAndMessage
        case .responding: return .sendMessage
        case .ended, .gone: return .drop
        }
    }

    /// The call gets its status.
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

    /// The stream is gone, by reset or because both sides ended.
    package mutating func closed() -> CloseAction {
        defer { response = .gone }
        return isOpen ? .cancelHandler : .nothing
    }
}
