internal import GRPCWire
internal import HTTP2Session
internal import Transport

/// Converts header fields between HTTP and gRPC.
enum WebHeaders {
    /// Fields that describe the HTTP message, whose meaning the gRPC call has elsewhere.
    private static let handled: Set<String> = [
        "host", "accept", "accept-encoding", "content-encoding", "x-grpc-web",
    ]
    private static let handledPrefixes = ["connect-", "grpc-", "access-control-"]

    private static let known = Dictionary(
        KnownHeader.allCases.map { ($0.name, $0.rawValue) }, uniquingKeysWith: { first, _ in first }
    )

    /// The headers of the gRPC call.
    ///
    /// - Parameters:
    ///   - path: of the method.
    ///   - encoding: of the messages that are passed on.
    ///   - acceptsGzip: whether the backend may compress its messages.
    static func request(
        _ head: HTTPRequestHead, path: [UInt8], encoding: MessageEncoding, acceptsGzip: Bool
    ) -> (headers: HeaderBlock, error: RPCError?) {
        var block = HeaderBlock()
        func add(_ header: KnownHeader, _ value: some StringProtocol) {
            block.append(header.name, bytes: value.utf8, known: header.rawValue)
        }
        add(.method, "POST")
        add(.scheme, "http")
        block.append(KnownHeader.path.name, bytes: path, known: KnownHeader.path.rawValue)
        if let host = head.host { add(.authority, host.text) }
        add(.te, "trailers")
        add(.contentType, ContentType.grpc)
        if encoding != .identity { add(.encoding, encoding.rawValue) }
        if acceptsGzip { add(.acceptEncoding, MessageEncoding.accepted) }
        var error: RPCError?
        for field in HTTPFields.forwarded(head.fields) where !isHandled(field.name) {
            guard isMetadata(field) else {
                error = error ?? invalid(field.name)
                continue
            }
            block.append(field.name, field.value, known: known[field.name] ?? -1)
        }
        return (block, error)
    }

    private static func invalid(_ name: String) -> RPCError {
        RPCError(
            .invalidArgument,
            "invalid header \(name.quoted): as metadata of gRPC, its name has letters, digits, "
                + "'_', '-' and '.', and its value is printable ASCII")
    }

    private static func isHandled(_ name: String) -> Bool {
        handled.contains(name) || handledPrefixes.contains { name.hasPrefix($0) }
    }

    private static func isMetadata(_ field: HTTPFields.Field) -> Bool {
        var metadata = Metadata()
        metadata.add(field.name, field.value)
        return metadata.fields.allSatisfy(Metadata.isValid)
    }

    /// The custom metadata of response headers or trailers.
    static func metadata(_ block: HeaderBlock) -> [HTTPFields.Field] {
        let fields = block.fields.indices.compactMap { index -> HTTPFields.Field? in
            let field = block.fields[index]
            let name = block.name(field)
            guard !Metadata.isReserved(name) else { return nil }
            return (name, HTTPFields.text(of: block.array(field)))
        }
        return HTTPFields.passed(fields)
    }

    /// `retry-after` for `grpc-retry-pushback-ms`: whole seconds, rounded up (RFC 9110 section
    /// 10.2.3).
    static func retryAfter(_ pushback: String?) -> [HTTPFields.Field] {
        guard let pushback, let milliseconds = DecimalNumber.parse(Array(pushback.utf8).span)
        else { return [] }
        return [("retry-after", "\((milliseconds + 999) / 1_000)")]
    }

    /// `grpc-encoding` of response headers, which name one that the call accepts.
    static func encoding(_ name: String) -> MessageEncoding {
        MessageEncoding(rawValue: name) ?? .identity
    }
}
