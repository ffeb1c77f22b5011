internal import GRPCWire
internal import Messages
package import Serving
package import Transport

/// `/metrics`, `/healthz` and `/readyz`, over HTTP/1.1 and HTTP/2.
extension ControlPlane {
    /// Answers a request to the admin port that is not gRPC. Does not wait for the control plane.
    package nonisolated func answer(_ request: HTTPRequest) async -> HTTPReply {
        await answer(request) { () throws(RPCError) in
            try access.check(
                Access.Credentials(
                    identities: request.peer.identities,
                    authorization: request.values("authorization")),
                Access.Requirement(role: .viewer, action: "read metrics"))
        }
    }

    /// Answers a request to the metrics port, which needs no credentials. Does not wait for the
    /// control plane.
    package nonisolated func answerScraper(_ request: HTTPRequest) async -> HTTPReply {
        await answer(request, authorize: { () throws(RPCError) in })
    }

    /// Refuses a request that names a host that is not this server; nil for others.
    package nonisolated func hostRefusal(_ host: HTTPHost?) -> HTTPReply? {
        guard !adminHosts.allow(host) else { return nil }
        return HTTPReply(
            status: 421,
            body: "the request's Host is not a name of this server; add it with "
                + "'weir serve --admin-host'\n")
    }

    /// Refuses a call of a web protocol that names another host, or that a script of another origin
    /// sends; nil for others. A program that is not a browser sends no origin.
    ///
    /// - Parameter cors: the origins whose scripts may call.
    package nonisolated func callRefusal(
        _ head: HTTPRequestHead, _ cors: CORSPolicy?
    ) -> HTTPReply? {
        if let refusal = hostRefusal(head.host) { return refusal }
        let origins = head.fields.filter { $0.name == "origin" }.map(\.value)
        guard let foreign = origins.first(where: { !AdminHosts.isOwn($0, of: head.host) }) else {
            return nil
        }
        if origins.count == 1, cors?.allows(foreign) == true { return nil }
        return HTTPReply(
            RPCError(
                .permissionDenied,
                "the origin \(foreign.quoted) is not the host of the request; allow it with "
                    + "'weir serve --admin-cors-origin'"))
    }

    private nonisolated func answer(
        _ request: HTTPRequest, authorize: () throws(RPCError) -> Void
    ) async -> HTTPReply {
        if let refusal = hostRefusal(request.head.host) { return refusal }
        guard request.method == "GET" || request.method == "HEAD" else {
            return HTTPReply(
                status: 405, headers: [("allow", "GET, HEAD")],
                body: Array("use GET or HEAD\n".utf8))
        }
        switch request.path {
        case "/metrics":
            do throws(RPCError) {
                try authorize()
            } catch {
                return HTTPReply(error)
            }
            return await metrics(MetricsEncoding(request.head.fields))
        case "/healthz":
            // A draining server is healthy, so that supervisors let it finish its requests.
            return HTTPReply(status: 200, body: health.isDraining ? "draining\n" : "ok\n")
        case "/readyz":
            return health.isReady
                ? HTTPReply(status: 200, body: "ok\n")
                : HTTPReply(status: 503, body: health.isDraining ? "draining\n" : "starting\n")
        default:
            return HTTPReply(status: 404, body: "use /metrics, /healthz or /readyz\n")
        }
    }

    private nonisolated func metrics(_ encoding: MetricsEncoding) async -> HTTPReply {
        let views = views
        let shared = await metricsRendering.body(encoding) {
            await views.readSampled { view -> [UInt8]? in
                guard let figures = view.figures else { return nil }
                var view = view
                view.process = ProcessSample.read()
                view.taps = self.dataPlane.tapFigures
                let text = Array(view.metrics(figures, encoding.format).utf8)
                return encoding.isGzip ? Gzip.compress(text.rawSpan) : text
            }
        }
        guard let shared else {
            return HTTPReply(
                status: 503, headers: [("retry-after", "1")],
                body: Array("too many requests wait for the metrics\n".utf8))
        }
        guard let body = shared else {
            return HTTPReply(status: 503, body: "the server is shutting down\n")
        }
        var headers = [(name: "vary", value: "accept, accept-encoding")]
        if encoding.isGzip { headers.append((name: "content-encoding", value: "gzip")) }
        return HTTPReply(
            status: 200, contentType: encoding.format.contentType, headers: headers, body: body)
    }
}
