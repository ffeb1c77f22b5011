internal import GRPCWire
internal import HTTP2Session
internal import Transport

/// Makes a call in place of a client of an HTTP/2 connection: a copy of a call, or a request that
/// is not gRPC. Confined to its loop.
protocol Caller: AnyObject {
    /// The request's headers.
    var headers: HeaderBlock { get }
    /// Who asked.
    var peer: Peer { get }

    /// The backend has read request bytes.
    func credit(_ bytes: Int)
    /// The response begins.
    func responded(encoding: String)
    /// Response bytes, framed.
    func wrote(_ bytes: RawSpan)
    /// Whether the backend may go on sending; if not, `waitForRoom` is called.
    func takesMore() -> Bool
    /// Wants `responseDrained` called when there is room again.
    func waitForRoom()
    /// The status is known.
    func ended(_ code: StatusCode, _ message: String, nanoseconds: UInt64)
}
