internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import TrafficPolicy
internal import Transport

/// The request headers that determine how a call is handled. Refers to fields of the header block,
/// which it does not contain, so that copies retain nothing.
struct RequestHead {
    private static let post = Array("POST".utf8)
    private static let grpc = Array(ContentType.grpc.utf8)

    private(set) var isPost = false
    private(set) var path: HeaderBlock.Field?
    private(set) var isGRPC = false
    /// Whether the client sends and accepts messages as JSON.
    private(set) var isJSON = false
    private(set) var timeout: HeaderBlock.Field?
    /// A Weir server has forwarded the request.
    private(set) var hasPassedProxy = false
    /// The name of the endpoint, for calls of `weir.v1.Serve`.
    private(set) var endpoint: HeaderBlock.Field?
    private var shardKey: HeaderBlock.Field?
    /// `grpc-encoding`; nil if Weir does not support it.
    private(set) var encoding: MessageEncoding? = .identity
    /// Whether `grpc-accept-encoding` names gzip.
    private(set) var acceptsGzip = false
    /// Binary metadata that is not base64.
    private var invalidBinary: HeaderBlock.Field?
    /// Whether a field of binary metadata has several values, which not every server separates.
    private(set) var joinsBinary = false

    init(_ headers: HeaderBlock) {
        for index in headers.fields.indices {
            let field = headers.fields[index]
            switch KnownHeader(rawValue: field.known) {
            case .method: isPost = headers.value(of: field, equals: Self.post)
            case .path: path = field
            case .contentType:
                if headers.value(of: field, equals: Self.grpc) {
                    isGRPC = true
                } else {
                    isGRPC = ContentType.isGRPC(headers.value(of: field))
                    isJSON = ContentType.isJSON(headers.value(of: field))
                }
            case .shardKey where !field.value.isEmpty && shardKey == nil: shardKey = field
            case .timeout: timeout = field
            case .via: hasPassedProxy = true
            case .endpoint: endpoint = field
            case .encoding: encoding = MessageEncoding(rawValue: headers.text(field))
            case .acceptEncoding:
                acceptsGzip = MessageEncoding.acceptsGzip(headers.value(of: field))
            default: if headers.isBinary(field) { checkBinary(field, headers) }
            }
        }
    }

    private mutating func checkBinary(_ field: HeaderBlock.Field, _ headers: HeaderBlock) {
        switch Base64.values(headers.value(of: field)) {
        case .one: break
        case .several: joinsBinary = true
        case .invalid: invalidBinary = invalidBinary ?? field
        }
    }

    /// Why no backend may receive the metadata: a server resets a stream whose binary metadata is
    /// invalid, and its replica would be blamed.
    func metadataError(in headers: HeaderBlock) -> RPCError? {
        guard let invalidBinary else { return nil }
        return RPCError(
            .invalidArgument,
            "invalid metadata \(headers.name(invalidBinary).quoted): a name that ends in -bin "
                + "needs a value in base64, not \(headers.quoted(invalidBinary))")
    }

    /// Calls the body with the bytes of the shard key; empty without one.
    func withShardKey<Result>(in headers: HeaderBlock, _ body: (RawSpan) -> Result) -> Result {
        guard let shardKey else { return body(RawSpan()) }
        return body(headers.rawValue(of: shardKey))
    }

    /// The point of the shard key on a ring of replicas; nil without one.
    func replicaPoint(in headers: HeaderBlock) -> UInt64? {
        shardKey == nil ? nil : withShardKey(in: headers) { HashRing.point(of: $0) }
    }
}
