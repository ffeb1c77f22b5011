internal import NIOCore
internal import Transport

extension ServedPort {
    /// Begins to answer a plain HTTP request.
    ///
    /// - Parameter reply: called on the loop once, possibly before this returns; not after a
    ///   cancellation.
    /// - Returns: the work to cancel when the client closes the connection or the stream; nil if it
    ///   has ended.
    func answer(
        _ request: HTTPRequest, on router: Router, at now: UInt64,
        _ reply: @escaping (HTTPReply) -> Void
    ) -> HTTPWork? {
        // A test of whether the server answers (RFC 9110 section 9.3.7).
        if request.head.target.isAsterisk {
            reply(HTTPReply(emptyWithStatus: 204))
            return nil
        }
        switch plainHTTP {
        case .endpoints:
            return PlainHTTPCall.begin(request, on: router, at: now, reply).map { .call($0) }
        case .function(let answer):
            // Called on the loop of the request.
            let eventLoop = router.loop.eventLoop
            let reply = NIOLoopBound(reply, eventLoop: eventLoop)
            return .task(
                Task {
                    let answer = await answer(request)
                    eventLoop.execute { if !Task.isCancelled { reply.value(answer) } }
                })
        }
    }
}

/// A plain HTTP request that is being answered.
enum HTTPWork {
    case call(PlainHTTPCall)
    case task(Task<Void, Never>)

    func cancel() {
        switch self {
        case .call(let call): call.cancel()
        case .task(let task): task.cancel()
        }
    }
}
