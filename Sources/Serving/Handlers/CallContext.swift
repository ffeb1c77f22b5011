public import GRPCWire
internal import HTTP2Session
internal import Observability
public import Transport

/// What a handler knows about its call besides the messages.
public struct CallContext: Sendable {
    private let call: HandlerCall
    private let headers: HeaderBlock

    /// When the call ends with DEADLINE_EXCEEDED; nil when the caller set no `grpc-timeout`.
    public let deadline: ContinuousClock.Instant?

    init(call: HandlerCall, headers: HeaderBlock, deadline: ContinuousClock.Instant?) {
        self.call = call
        self.headers = headers
        self.deadline = deadline
    }

    /// The caller's metadata, shard key included; HTTP/2's and gRPC's own headers are left out.
    public var metadata: Metadata {
        var metadata = Metadata(headers)
        if isShadow { metadata.add(KnownHeader.shadow.name, "1") }
        return metadata
    }

    /// Whether this is a copy of a call, whose answer goes to nobody; its metadata says so too, by
    /// `x-serve-shadow: 1`.
    public var isShadow: Bool { call.isShadow }

    /// `/pkg.Service/Method`
    public var path: String { headers.first(.path).map { headers.text($0) } ?? "" }

    /// The first value of `x-serve-shard-key` that is not empty; nil without one.
    public var shardKey: [UInt8]? {
        let keys = headers.fields.filter { $0.known == KnownHeader.shardKey.rawValue }
        return keys.first { !$0.value.isEmpty }.map { Array(headers.bytes[$0.value]) }
    }

    /// Throws RESOURCE_EXHAUSTED for the body of a dynamic call over the limit of a message. The
    /// message around the body may be a little longer.
    func checkBody(_ body: [UInt8]) throws(RPCError) {
        let limit = call.loop.limits.maxMessageBytes
        guard body.count <= limit else {
            throw RPCError(.resourceExhausted, HTTPRefusal.bodyTooLarge(limit: limit).message)
        }
    }

    /// The endpoint that took the request; empty for Weir's own services.
    public var endpoint: String { call.target.key.endpoint }

    /// The name of the backend that this handler runs as.
    public var backend: String { call.target.key.backend }

    /// The caller's address.
    public var peer: String { call.peer.text }

    /// The subject alternative names of the caller's certificate, of the kinds URI, DNS and email.
    /// Empty unless the port asks for certificates and the caller has sent one, which is verified.
    public var peerIdentities: [PeerIdentity] { call.peer.identities }

    /// Identifies the call while it is open.
    package var id: ObjectIdentifier { ObjectIdentifier(call) }

    /// Ends the call with an error, unless it has ended; the handler's task is cancelled. May be
    /// called on any thread.
    package func end(_ error: RPCError) { call.onLoop { $0.finish(error) } }

    /// Adds response headers. They go out with the first reply, so later calls do nothing.
    public func addInitialMetadata(_ metadata: Metadata) {
        call.onLoop { $0.initialMetadata.add(metadata) }
    }

    /// Adds trailing metadata, sent with the status.
    public func addTrailingMetadata(_ metadata: Metadata) {
        call.onLoop { $0.trailingMetadata.add(metadata) }
    }
}
