internal import GRPCWire
internal import HTTP2Session
internal import Transport

/// The source of a call that is not a stream of an HTTP/2 connection: a shadow copy, or a plain
/// HTTP request. Confined to its loop.
protocol CallSource: AnyObject {
    /// The request's headers.
    var headers: HeaderBlock { get }
    /// The client.
    var peer: Peer { get }
    /// Whether the call is a shadow copy.
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
    /// A shadow copy is dropped, because the pool has no replica for it.
    func dropped(_ error: RPCError)
}

extension CallSource {
    var isShadow: Bool { false }
    func workBegan() {}
    func workEnded() {}
    func dropped(_ error: RPCError) {}
}
