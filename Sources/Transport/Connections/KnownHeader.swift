package import GRPCWire
package import HTTP2Session

/// The header names that the data plane knows, by number.
package enum KnownHeader: Int, CaseIterable {
    // Read in requests.
    case method, path, contentType, timeout, encoding, acceptEncoding, shardKey, shadow, endpoint
    case scheme, authority, te, forwardedFor, previousAttempts, via
    // Read in responses.
    case status, grpcStatus, grpcMessage, retryPushback, backend, stale
    // About one connection only (RFC 9113 section 8.2.2), or about a length that HTTP/2 frames
    // contain.
    case connection, host, keepAlive, proxyConnection, transferEncoding, upgrade, contentLength

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

    package static let names = KnownNames(allCases.map(\.name))

    /// What is about one connection only, so that a proxy doesn't pass it on.
    package static let hopByHop: [KnownHeader] = [
        .connection, .host, .keepAlive, .proxyConnection, .transferEncoding, .upgrade,
        .contentLength,
    ]

    /// What only Weir says in responses.
    package static let ownOfWeir: [KnownHeader] = [.backend, .shadow, .stale, .via]

    package static func set(_ headers: [KnownHeader]) -> HeaderBlock.KnownSet {
        HeaderBlock.KnownSet(headers.map(\.rawValue))
    }
}

extension HeaderBlock {
    package func first(_ header: KnownHeader) -> Field? { first(known: header.rawValue) }

    /// A value as an error shows it: in quotes, printable and short.
    package func quoted(_ field: Field) -> String { text(field).quoted }
}

extension Metadata {
    /// The custom fields of a header block. A caller's `x-serve-shadow` is left out: only Weir
    /// says what is a shadow.
    package init(_ headers: HeaderBlock) {
        self.init()
        for field in headers.fields {
            if field.known == KnownHeader.shadow.rawValue { continue }
            let name = headers.name(field)
            guard !Metadata.isReserved(name) else { continue }
            add(name, headers.text(field))
        }
    }
}

extension HeaderBlock {
    /// Appends custom metadata, leaving out what may not be sent.
    package mutating func append(_ metadata: Metadata) {
        for field in metadata.fields
        where Metadata.isValid(field) && !Metadata.isReserved(field.name) {
            append(field.name, field.value)
        }
    }
}
