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

    private static let all: [(name: String, type: WebContentType)] = {
        let binary = WebContentType(.grpcWeb(isText: false), .proto)
        let text = WebContentType(.grpcWeb(isText: true), .proto)
        let types = [
            binary, WebContentType(binary.webProtocol, .json), text,
            WebContentType(.connectUnary, .proto), WebContentType(.connectUnary, .json),
            WebContentType(.connectStream, .proto), WebContentType(.connectStream, .json),
        ]
        return [("application/grpc-web", binary), ("application/grpc-web-text", text)]
            + types.map { ($0.text, $0) }
    }()

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0.type) })

    /// Nil for other types. Of the parameters, only `charset=utf-8` is accepted.
    package init?(_ value: some Sequence<UInt8>) {
        let text = String(decoding: Array(value), as: UTF8.self)
        if let known = Self.byName[text] {
            self = known
            return
        }
        let parts = text.lowercased().split(separator: ";", omittingEmptySubsequences: false)
            .map { String($0.filter { $0 != " " && $0 != "\t" }) }
        guard let name = parts.first, let known = Self.byName[name],
            parts.dropFirst().allSatisfy({
                ["charset=utf-8", "charset=\"utf-8\"", ""].contains($0)
            })
        else { return nil }
        self = known
    }

    /// The type's name, as responses declare it.
    package var text: String {
        switch (webProtocol, codec) {
        case (.grpcWeb(isText: false), .proto): "application/grpc-web+proto"
        case (.grpcWeb(isText: false), .json): "application/grpc-web+json"
        case (.grpcWeb(isText: true), .proto): "application/grpc-web-text+proto"
        case (.grpcWeb(isText: true), .json): "application/grpc-web-text+json"
        case (.connectUnary, .proto): "application/proto"
        case (.connectUnary, .json): "application/json"
        case (.connectStream, .proto): "application/connect+proto"
        case (.connectStream, .json): "application/connect+json"
        }
    }

    /// The types, for errors and for `Accept-Post`.
    package static var accepted: String { all.map(\.name).joined(separator: ", ") }
}
