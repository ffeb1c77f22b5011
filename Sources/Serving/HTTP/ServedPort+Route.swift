internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import TrafficPolicy
internal import Transcoding
internal import Transport

/// How a request that is not gRPC is answered.
struct HTTPRoute {
    enum Kind {
        /// A plain HTTP request, whose body is collected.
        case plain
        case reply(HTTPReply)
        /// A call of a web protocol; without a path if no endpoint or service matches it.
        case web(WebRequest, ResolvedPath?)
        /// A call by `google.api.http`.
        case transcoded(TranscodedRequest, ResolvedPath)
    }

    let kind: Kind
    /// The policy for scripts of other origins, for the fields of the response.
    var cors: CORSPolicy?
    /// The shard key that the request has in another place than the header.
    var shardKey: String?
}

extension ServedPort {
    /// Decides how a request that is not gRPC is answered.
    ///
    /// A request to the method of a gRPC service is a call if its method and content type belong to
    /// a web protocol. On a path that also is one of plain HTTP, a POST of one message that does
    /// not name its protocol is a plain HTTP request.
    func route(_ head: HTTPRequestHead, _ router: Router) -> HTTPRoute {
        guard !head.target.isAsterisk else { return HTTPRoute(kind: .plain) }
        let request = WebRequest(head)
        let plain = plainEndpoint(head, router)
        let path = path(head, router)
        if path == nil || request == nil, request?.isExplicit != true,
            let found = transcoded(head, plain, router)
        {
            return found
        }
        let endpoint = endpoint(of: path, router) ?? plain
        let cors = servesEndpoints ? endpoint?.cors : cors
        if let cors, CORSPolicy.isPreflight(head) {
            let methods = path == nil ? plain?.methods.listed : ["GET", "POST"]
            return HTTPRoute(kind: .reply(cors.preflight(head, methods: methods ?? [])))
        }
        return HTTPRoute(
            kind: kind(head, request, path, isPlain: plain != nil), cors: cors,
            shardKey: endpoint?.httpShardKey?.key(of: head))
    }

    private func kind(
        _ head: HTTPRequestHead, _ request: WebRequest?, _ path: ResolvedPath?, isPlain: Bool
    ) -> HTTPRoute.Kind {
        let isPlain = isPlain || servesEndpoints && ServePath.matches(head.target.path)
        guard let path else {
            // No endpoint or service has the path.
            guard let request, !isPlain, let method = MethodPath(head.target.path),
                request.isExplicit || !servesEndpoints && method.service.contains(".")
            else { return .plain }
            return .web(request, nil)
        }
        if let request, request.isExplicit || !isPlain {
            if let refusal = callRefusal(head) { return .reply(refusal) }
            return .web(request, path)
        }
        return isPlain ? .plain : .reply(Self.refusal(head))
    }

    /// A request that a binding of `google.api.http` matches.
    private func transcoded(
        _ head: HTTPRequestHead, _ plain: RoutingSnapshot.Endpoint?, _ router: Router
    ) -> HTTPRoute? {
        let routes = router.snapshot.httpRoutes
        guard servesEndpoints, !routes.isEmpty, let path = RequestPath(head.target.path) else {
            return nil
        }
        // The policy for another origin is that of the method which its script calls.
        let isPreflight = CORSPolicy.isPreflight(head)
        let asked = head.fields.first { $0.name == "access-control-request-method" }?.value
        switch routes.match(isPreflight ? asked ?? "" : head.method, path) {
        case .method(let method):
            let bytes = Array(method.description.utf8)
            guard let resolved = router.resolve(bytes, on: self) else { return nil }
            let endpoint = endpoint(of: resolved, router)
            let cors = endpoint?.cors
            guard isPreflight else {
                let shardKey = endpoint?.httpShardKey
                let transcoded = TranscodedRequest(
                    path: path, otherParameters: shardKey.map { Set([$0.query]) } ?? [])
                return HTTPRoute(
                    kind: .transcoded(transcoded, resolved), cors: cors,
                    shardKey: shardKey?.key(of: head))
            }
            return cors.map { cors in
                HTTPRoute(kind: .reply(cors.preflight(head, methods: [asked ?? ""])))
            }
        case .otherMethods(let methods) where plain == nil:
            let resolved = routes.method(methods, path).flatMap {
                router.resolve(Array($0.description.utf8), on: self)
            }
            return HTTPRoute(
                kind: .reply(Self.methodRefusal(head, methods)),
                cors: endpoint(of: resolved, router)?.cors)
        case .otherMethods, .none: return nil
        }
    }

    private static func methodRefusal(_ head: HTTPRequestHead, _ methods: [String]) -> HTTPReply {
        let allowed = methods.joined(separator: ", ")
        var reply = HTTPReply(emptyWithStatus: 204)
        if head.method != "OPTIONS" {
            let status = StatusJSON.json(
                .unimplemented, "the path does not accept the method \(head.method): use \(allowed)"
            )
            reply = HTTPReply(
                status: 405, contentType: "application/json",
                body: status.utf8() + [UInt8(ascii: "\n")])
        }
        reply.headers.append(("allow", allowed))
        return reply
    }

    /// Whether a request may have a route that is unknown until the schemas of backends are.
    func lacksRoute(_ head: HTTPRequestHead, _ router: Router) -> Bool {
        servesEndpoints && router.snapshot.lacksSchemas && router.mayLoadRoutes
            && plainEndpoint(head, router) == nil && !ServePath.matches(head.target.path)
    }

    private func endpoint(of path: ResolvedPath?, _ router: Router) -> RoutingSnapshot.Endpoint? {
        path?.policy.flatMap { router.snapshot.endpoint(named: $0.endpoint) }
    }

    /// The endpoint whose plain HTTP path matches.
    private func plainEndpoint(
        _ head: HTTPRequestHead, _ router: Router
    ) -> RoutingSnapshot.Endpoint? {
        guard servesEndpoints else { return nil }
        return router.snapshot.endpoint(forPlainHTTP: head.target.path[...])
    }

    /// The path of a method; nil if no endpoint or service has it.
    private func path(_ head: HTTPRequestHead, _ router: Router) -> ResolvedPath? {
        let path = head.target.path
        if servesEndpoints, ServePath.matches(path) {
            let name = head.fields.first { $0.name == KnownHeader.endpoint.name }?.value
            return name.flatMap { router.snapshot.endpoint(named: $0) }
                .map { router.resolveServe($0) }
        }
        return router.resolve(Array(path.utf8), on: self)
    }

    /// The reply to a request of a method's path that is not a call.
    private static func refusal(_ head: HTTPRequestHead) -> HTTPReply {
        let methods = "GET, HEAD, OPTIONS, POST"
        switch head.method {
        case "OPTIONS":
            var reply = HTTPReply(emptyWithStatus: 204)
            reply.headers.append(("allow", methods))
            return reply
        case "POST":
            var reply = HTTPReply(
                RPCError(
                    .unimplemented,
                    "the path \(head.target.path.quoted) is gRPC: use HTTP/2 with content-type "
                        + "\(ContentType.grpc), or one of \(WebContentType.accepted)"), status: 415)
            reply.headers.append(
                ("accept-post", "\(ContentType.grpc), \(WebContentType.accepted)"))
            return reply
        default:
            var reply = HTTPReply(
                RPCError(
                    .unimplemented,
                    "the path \(head.target.path.quoted) is gRPC: use POST, or GET with a message "
                        + "of Connect in the query"), status: 405)
            reply.headers.append(("allow", methods))
            return reply
        }
    }
}
