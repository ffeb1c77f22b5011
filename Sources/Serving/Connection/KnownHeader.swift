package import GRPCWire
package import HTTP2Session

/// The request headers that the data plane reads, by number.
enum KnownHeader: Int, CaseIterable {
    case method, path, contentType, timeout, encoding, acceptEncoding, shardKey, shadow
    case scheme, authority, te

    var name: String {
        switch self {
        case .method: ":method"
        case .path: ":path"
        case .contentType: "content-type"
        case .timeout: "grpc-timeout"
        case .encoding: "grpc-encoding"
        case .acceptEncoding: "grpc-accept-encoding"
        case .shardKey: "x-serve-shard-key"
        case .shadow: "x-serve-shadow"
        case .scheme: ":scheme"
        case .authority: ":authority"
        case .te: "te"
        }
    }

    static let names = KnownNames(allCases.map(\.name))
}

extension HeaderBlock {
    func first(_ header: KnownHeader) -> Field? { first(known: header.rawValue) }
}

extension Metadata {
    /// The custom fields of a header block. A caller's `x-serve-shadow` is left out: only Weir
    /// says what is a shadow.
    package init(_ headers: HeaderBlock) {
        self.init()
        for field in headers.fields {
            if field.known >= 0, field.known != KnownHeader.shardKey.rawValue { continue }
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
