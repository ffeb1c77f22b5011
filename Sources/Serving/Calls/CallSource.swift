internal import GRPCWire
internal import HTTP2Session
internal import Transport

/// Makes a call in place of a client of an HTTP/2 connection: a copy of a call, or a request that
/// is not gRPC. Confined to its loop.
protocol CallSource: AnyObject {
    /// The request's headers.
    var headers: HeaderBlock { get }
    /// The client.
    var peer: Peer { get }
    /// Whether the call is a copy for a shadow.
    var isShadow: Bool { get }

    /// The backend has read request bytes.
    func credit(_ bytes: Int)
    /// The response begins.
    func responded(encoding: String)
    /// Response bytes, framed.
    func wrote(_ bytes: RawSpan)
    /// Whether the backend may continue to send; if not, `waitForRoom` is called.
    func takesMore() -> Bool
    /// Requests a call of `responseDrained` when there is room again.
    func waitForRoom()
    /// The status is known.
    func ended(_ code: StatusCode, _ message: String, nanoseconds: UInt64)

    /// A handler begins to work on the call.
    func workBegan()
    /// The handler has returned, perhaps after the call has ended.
    func workEnded()
    /// A copy gets no replica, and is given up.
    func dropped(_ error: RPCError)
}

extension CallSource {
    var isShadow: Bool { false }
    func workBegan() {}
    func workEnded() {}
    func dropped(_ error: RPCError) {}
}
