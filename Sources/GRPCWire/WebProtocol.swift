/// A protocol for browsers and plain HTTP clients, which Weir converts to a gRPC call.
package enum WebProtocol: Equatable, Sendable {
    /// gRPC-Web: the messages as in gRPC, and the trailers at the end of the body.
    case grpcWeb(isText: Bool)
    /// Connect with one message in each direction, without framing.
    case connectUnary
    /// Connect with enveloped messages.
    case connectStream
}

/// How the messages of a request are encoded.
package enum MessageCodec: String, Equatable, Sendable {
    case proto
    case json
}

/// The protocol and the codec that a `content-type` declares.
///
/// Sources: gRPC's `PROTOCOL-WEB.md`; "Connect Protocol Reference".
package struct WebContentType: Equatable, Sendable {
    package let webProtocol: WebProtocol
    package let codec: MessageCodec

    package init(_ webProtocol: WebProtocol, _ codec: MessageCodec) {
        self.webProtocol = webProtocol
        self.codec = codec
    }

    private static let all: [(name: String, type: WebContentType)] = [
        ("application/grpc-web", .init(.grpcWeb(isText: false), .proto)),
        ("application/grpc-web+proto", .init(.grpcWeb(isText: false), .proto)),
        ("application/grpc-web+json", .init(.grpcWeb(isText: false), .json)),
        ("application/grpc-web-text", .init(.grpcWeb(isText: true), .proto)),
        ("application/grpc-web-text+proto", .init(.grpcWeb(isText: true), .proto)),
        ("application/proto", .init(.connectUnary, .proto)),
        ("application/json", .init(.connectUnary, .json)),
        ("application/connect+proto", .init(.connectStream, .proto)),
        ("application/connect+json", .init(.connectStream, .json)),
    ]

    /// Nil for other types. Of the parameters, only `charset=utf-8` is accepted.
    package init?(_ value: some Sequence<UInt8>) {
        let text = String(decoding: Array(value), as: UTF8.self).lowercased()
        let parts = text.split(separator: ";", omittingEmptySubsequences: false)
            .map { String($0.filter { $0 != " " && $0 != "\t" }) }
        guard let name = parts.first, let known = Self.all.first(where: { $0.name == name }),
            parts.dropFirst().allSatisfy({
                ["charset=utf-8", "charset=\"utf-8\"", ""].contains($0)
            })
        else { return nil }
        self = known.type
    }

    /// The type's name, as responses declare it.
    package var text: String {
        switch webProtocol {
        case .grpcWeb(let isText): "application/grpc-web\(isText ? "-text" : "")+\(codec.rawValue)"
        case .connectUnary: "application/\(codec.rawValue)"
        case .connectStream: "application/connect+\(codec.rawValue)"
        }
    }

    /// The types, for errors and for `Accept-Post`.
    package static var accepted: String { all.map(\.name).joined(separator: ", ") }
}
