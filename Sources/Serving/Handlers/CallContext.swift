public import GRPCWire
internal import HTTP2Session
internal import Observability
public import Transport

/// The call of a handler, without its messages.
public struct CallContext: Sendable {
    private let call: HandlerCall
    private let headers: HeaderBlock

    /// When the call ends with DEADLINE_EXCEEDED; nil without a `grpc-timeout` of the client.
    public let deadline: ContinuousClock.Instant?

    init(call: HandlerCall, headers: HeaderBlock, deadline: ContinuousClock.Instant?) {
        self.call = call
        self.headers = headers
        self.deadline = deadline
    }

    /// The client's metadata, including the shard key, without the headers of HTTP/2 and gRPC.
    public var metadata: Metadata {
        var metadata = Metadata(headers)
        if isShadow { metadata.add(KnownHeader.shadow.name, "1") }
        return metadata
    }

    /// Whether the call is a shadow copy, whose response no client receives. Its metadata contains
    /// `x-serve-shadow: 1`.
    public var isShadow: Bool { call.isShadow }

    /// `/pkg.Service/Method`
    public var path: String { headers.first(.path).map { headers.text($0) } ?? "" }

    /// The first value of `x-serve-shard-key` that is not empty; nil without one.
    public var shardKey: [UInt8]? {
        headers.all(.shardKey).first { !$0.value.isEmpty }.map { headers.array($0) }
    }

    /// Throws RESOURCE_EXHAUSTED for the body of a `weir.v1.CallRequest` over the limit of a
    /// message. The message around the body may be longer.
    func checkBody(_ body: [UInt8]) throws(RPCError) {
        let limit = call.loop.limits.maxMessageBytes
        guard body.count <= limit else {
            throw RPCError(.resourceExhausted, HTTPRefusal.bodyTooLarge(limit: limit).message)
        }
    }

    /// The endpoint of the request; empty for Weir's own services.
    public var endpoint: String { call.target.key.endpoint }

    /// The name of the handler's backend.
    public var backend: String { call.target.key.backend }

    /// The client's address.
    public var peer: String { call.peer.text }

    /// The subject alternative names of the client's certificate, of the kinds URI, DNS and email.
    /// Empty unless the port requests certificates and the client has sent a valid one.
    public var peerIdentities: [PeerIdentity] { call.peer.identities }

    /// Identifies the call while it is open.
    package var id: ObjectIdentifier { ObjectIdentifier(call) }

    /// Ends the call with an error, unless it has ended, and cancels the handler's task. Can be
    /// called on any thread.
    package func end(_ error: RPCError) { call.onLoop { $0.finish(error) } }

    /// Adds response headers. They are sent with the first reply, so later calls have no effect.
    public func addInitialMetadata(_ metadata: Metadata) {
        call.onLoop { if $0.state.isOpen { $0.initialMetadata.add(metadata) } }
    }

    /// Adds trailing metadata, sent with the status.
    public func addTrailingMetadata(_ metadata: Metadata) {
        call.onLoop { if $0.state.isOpen { $0.trailingMetadata.add(metadata) } }
    }
}
