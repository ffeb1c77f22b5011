internal import GRPCWire

/// Observes one call. The call never waits for it. Confined to its loop.
protocol CallObserver: AnyObject {
    /// Request bytes from the client.
    func received(_ bytes: RawSpan, endStream: Bool)
    /// The response begins.
    func responded(encoding: String)
    /// Response bytes to the client.
    func wrote(_ bytes: RawSpan)
    /// The status is known, or the client has cancelled the call.
    func ended(_ code: StatusCode, _ message: String, nanoseconds: UInt64, byClient: Bool)

    /// The call is sampled; called before the other functions.
    func began(_ trace: CallTrace)
    /// The call was not sampled, and can be exported late; called before `ended`.
    func ended(untraced call: LateCall)
}

extension CallObserver {
    func began(_ trace: CallTrace) {}
    func ended(untraced call: LateCall) {}
}
