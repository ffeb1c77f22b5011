package import GRPCWire
package import HTTP2Session

/// The header names that the data plane reads, by number.
package enum KnownHeader: Int, CaseIterable {
    // In requests.
    case method, path, contentType, timeout, encoding, acceptEncoding, shardKey, shadow, endpoint
    case scheme, authority, te, forwardedFor, previousAttempts, via
    // Of traces.
    case traceParent, traceState, traceBinary, baggage
    // In responses.
    case status, grpcStatus, grpcMessage, retryPushback, backend, stale
    // Of one connection (RFC 9113 section 8.2.2), or of a length that HTTP/2 frames contain.
    case connection, host, keepAlive, proxyConnection, transferEncoding, upgrade, contentLength

    /// The name in lower case.
    package var name: String {
        switch self {
        case .method: ":method"
        case .path: ":path"
        case .contentType: "content-type"
        case .timeout: "grpc-timeout"
        case .encoding: "grpc-encoding"
        case .acceptEncoding: "grpc-accept-encoding"
        case .shardKey: "x-serve-shard-key"
        case .shadow: "x-serve-shadow"
        case .endpoint: "x-serve-endpoint"
        case .scheme: ":scheme"
        case .authority: ":authority"
        case .te: "te"
        case .forwardedFor: "x-forwarded-for"
        case .previousAttempts: "grpc-previous-rpc-attempts"
        case .via: "x-weir-via"
        case .traceParent: "traceparent"
        case .traceState: "tracestate"
        case .traceBinary: "grpc-trace-bin"
        case .baggage: "baggage"
        case .status: ":status"
        case .grpcStatus: "grpc-status"
        case .grpcMessage: "grpc-message"
        case .retryPushback: "grpc-retry-pushback-ms"
        case .backend: "x-serve-backend"
        case .stale: "x-weir-stale"
        case .connection: "connection"
        case .host: "host"
        case .keepAlive: "keep-alive"
        case .proxyConnection: "proxy-connection"
        case .transferEncoding: "transfer-encoding"
        case .upgrade: "upgrade"
        case .contentLength: "content-length"
        }
    }

    /// All names, for HTTP/2 sessions.
    package static let names = KnownNames(allCases.map(\.name))

    /// Headers of one connection, which a proxy does not forward.
    package static let hopByHop: [KnownHeader] = [
        .connection, .host, .keepAlive, .proxyConnection, .transferEncoding, .upgrade,
        .contentLength,
    ]

    /// Headers that connect a call to its trace.
    package static let tracing: [KnownHeader] = [.traceParent, .traceState, .traceBinary, .baggage]

    /// Headers that only Weir sets in responses.
    package static let ownOfWeir: [KnownHeader] = [.backend, .shadow, .stale, .via]

    /// The headers as a set for `HeaderParts`.
    package static func set(_ headers: [KnownHeader]) -> HeaderBlock.KnownSet {
        HeaderBlock.KnownSet(headers.map(\.rawValue))
    }
}

extension HeaderBlock {
    /// The first field with a name.
    package func first(_ header: KnownHeader) -> Field? { first(known: header.rawValue) }

    /// The only field with a name; nil if there is none or more than one.
    package func only(_ header: KnownHeader) -> Field? { only(known: header.rawValue) }

    /// All fields with a name, in order.
    package func all(_ header: KnownHeader) -> [Field] { all(known: header.rawValue) }

    /// A value for an error: quoted, printable and truncated.
    package func quoted(_ field: Field) -> String { text(field).quoted }
}

extension Metadata {
    /// The custom fields of a header block, without a client's `x-serve-shadow`, which only Weir
    /// sets.
    package init(_ headers: HeaderBlock) {
        self.init()
        for index in headers.fields.indices {
            let field = headers.fields[index]
            if field.known == KnownHeader.shadow.rawValue { continue }
            let name = headers.name(field)
            guard !Metadata.isReserved(name) else { continue }
            add(name, headers.text(field))
        }
    }
}

extension HeaderBlock {
    /// Appends custom metadata, without invalid and reserved fields.
    package mutating func append(_ metadata: Metadata) {
        for field in metadata.fields
        where Metadata.isValid(field) && !Metadata.isReserved(field.name) {
            append(field.name, field.value)
        }
    }
}
