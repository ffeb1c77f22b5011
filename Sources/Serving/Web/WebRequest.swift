internal import GRPCWire
internal import HTTP2Session
internal import Transport

/// The protocol of a request that is not gRPC, by its head.
struct WebRequest {
    let contentType: WebContentType
    /// The message of a GET request, or why the query has none; nil for POST.
    let get: Result<ConnectGet, ConnectGet.Failure>?
    /// Whether only a client of the protocol sends such a head. A POST of `application/json` or
    /// `application/proto` can also be a plain HTTP request.
    let isExplicit: Bool

    private static let version = "connect-protocol-version"

    /// Nil if the request has another method or content type.
    init?(_ head: HTTPRequestHead) {
        let hasVersion = head.fields.contains { $0.name == Self.version }
        switch head.method {
        case "POST":
            let types = head.fields.filter { $0.name == KnownHeader.contentType.name }
            guard types.count == 1, let type = WebContentType(types[0].value.utf8) else {
                return nil
            }
            contentType = type
            get = nil
            isExplicit = hasVersion || type.webProtocol != .connectUnary
        case "GET", "HEAD":
            guard ConnectGet.isConnect(head.target.query) else { return nil }
            let get = Result { () throws(ConnectGet.Failure) in
                try ConnectGet(query: head.target.query)
            }
            contentType = WebContentType(.connectUnary, (try? get.get().codec) ?? .json)
            self.get = get
            isExplicit = true
        default: return nil
        }
    }

    /// What the head says about the call, or why it is invalid.
    struct Options {
        var encoding = MessageEncoding.identity
        var acceptsGzip = false
        /// In nanoseconds.
        var timeout: Int64?
        var error: RPCError?
    }

    /// Reads the fields of the protocol.
    func options(_ head: HTTPRequestHead) -> Options {
        var options = Options()
        func first(_ name: String) -> String? { head.fields.first { $0.name == name }?.value }
        let names = names
        do throws(RPCError) {
            if case .failure(let failure) = get {
                throw RPCError(.invalidArgument, "\(failure)")
            }
            if let version = first(Self.version), version != "1", names.timeout != "grpc-timeout" {
                throw RPCError(
                    .invalidArgument, "invalid \(Self.version) \(version.quoted): it must be 1")
            }
            let compression = (try? get?.get().compression) ?? first(names.encoding) ?? ""
            guard
                let encoding = MessageEncoding(
                    rawValue: compression.isEmpty ? "identity" : compression.lowercased())
            else {
                throw RPCError(
                    .unimplemented,
                    "\(names.encoding) \(compression.quoted) is not supported: use one of "
                        + MessageEncoding.accepted,
                    metadata: ["grpc-accept-encoding": MessageEncoding.accepted])
            }
            options.encoding = encoding
            options.acceptsGzip = HTTPFields.accepts(
                "gzip", first(names.acceptEncoding) ?? "")
            if let text = first(names.timeout) { options.timeout = try timeout(text) }
        } catch {
            options.error = error
        }
        return options
    }

    private func timeout(_ text: String) throws(RPCError) -> Int64 {
        guard case .grpcWeb = contentType.webProtocol else {
            if let timeout = ConnectTimeout.parse(text.utf8) { return timeout }
            throw RPCError(
                .invalidArgument,
                "invalid connect-timeout-ms \(text.quoted): it has 1 to 10 digits")
        }
        // Some clients of gRPC-Web send more digits than gRPC allows.
        if let timeout = Timeout.parse(Array(text.utf8).span, maxDigits: 18) { return timeout }
        throw RPCError(
            .invalidArgument,
            "invalid grpc-timeout \(text.quoted): it has 1 to 18 digits and a unit of HMSmun")
    }

    /// The names of the protocol's fields.
    private var names: (encoding: String, acceptEncoding: String, timeout: String) {
        switch contentType.webProtocol {
        case .grpcWeb: ("grpc-encoding", "grpc-accept-encoding", "grpc-timeout")
        case .connectUnary: ("content-encoding", "accept-encoding", "connect-timeout-ms")
        case .connectStream:
            ("connect-content-encoding", "connect-accept-encoding", "connect-timeout-ms")
        }
    }

    /// The form of the call.
    ///
    /// - Parameter limit: the largest message.
    func form(
        _ head: HTTPRequestHead, _ options: Options, limit: Int, limitName: StaticString
    ) -> any WebForm {
        switch contentType.webProtocol {
        case .grpcWeb:
            GRPCWebForm(
                contentType, accept: HTTPFields.list("accept", in: head.fields),
                encoding: options.encoding, limit: limit, limitName: limitName)
        case .connectUnary:
            ConnectUnaryForm(
                contentType.codec, isGet: get != nil, encoding: options.encoding,
                acceptsGzip: options.acceptsGzip, limit: limit, limitName: limitName)
        case .connectStream:
            ConnectStreamForm(
                contentType.codec, encoding: options.encoding, limit: limit, limitName: limitName)
        }
    }
}
