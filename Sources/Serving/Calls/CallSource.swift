internal import GRPCWire
internal import HTTP2Session
internal import Observability
internal import Transport

/// The source of a call that is not a gRPC stream of a client: a shadow copy, a plain HTTP request,
/// or a call of a web protocol. Confined to its loop.
protocol CallSource: AnyObject {
    /// The request's headers.
    var headers: HeaderBlock { get }
    /// The client.
    var peer: Peer { get }
    /// Whether the call is a shadow copy.
    var isShadow: Bool { get }
    /// How the client called.
    var recordForm: CallRecord.Form { get }
    /// The path in records of calls, if it is not that of the method.
    var recordPath: String? { get }

    /// The trace of the call that a shadow copy repeats; nil for a call that is not sampled.
    var primaryTrace: CallTrace? { get }

    /// The backend has read request bytes.
    func credit(_ bytes: Int)
    /// The response begins.
    func responded(encoding: String, _ headers: HeaderParts)
    /// Response bytes, framed.
    func wrote(_ bytes: RawSpan)
    /// Whether the backend may continue to send; if not, `waitForRoom` is called.
    func takesMore() -> Bool
    /// Requests a call of `responseDrained` when there is room again.
    func waitForRoom()
    /// The status follows.
    ///
    /// - Parameter headers: those of a response that has not begun; nil for others.
    func ending(_ trailers: HeaderParts, headers: HeaderBlock?)
    /// A successful response is complete.
    ///
    /// - Returns: why the client cannot receive it, which becomes the status of the call.
    func complete() -> RPCError?
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
    var primaryTrace: CallTrace? { nil }
    var recordPath: String? { nil }
    func ending(_ trailers: HeaderParts, headers: HeaderBlock?) {}
    func complete() -> RPCError? { nil }
    func workBegan() {}
    func workEnded() {}
    func dropped(_ error: RPCError) {}
}
