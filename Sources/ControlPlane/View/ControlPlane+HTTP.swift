internal import GRPCWire
internal import Serving
package import Transport

/// `/metrics` and `/healthz`, over HTTP/1.1 and HTTP/2.
extension ControlPlane {
    /// Answers a request to the admin port that is not gRPC. Does not wait for the control plane.
    package nonisolated func answer(_ request: HTTPRequest) async -> HTTPReply {
        guard adminHosts.allow(request.head.host) else {
            return HTTPReply(
                status: 421,
                body: "the request's Host is not a name of this server; add it with "
                    + "'weir serve --admin-host'\n")
        }
        guard request.method == "GET" || request.method == "HEAD" else {
            return HTTPReply(
                status: 405, headers: [("allow", "GET, HEAD")],
                body: Array("use GET or HEAD\n".utf8))
        }
        switch request.path {
        case "/metrics":
            do throws(RPCError) {
                try access.check(
                    Access.Credentials(
                        identities: request.peer.identities,
                        authorization: request.first("authorization")),
                    Access.Requirement(role: .viewer, action: "read metrics"))
            } catch {
                return HTTPReply(error)
            }
            return await metrics()
        case "/healthz":
            return health.isDraining
                ? HTTPReply(status: 503, body: "draining\n")
                : HTTPReply(status: 200, body: "ok\n")
        default:
            return HTTPReply(status: 404, body: "use /metrics or /healthz\n")
        }
    }

    private nonisolated func metrics() async -> HTTPReply {
        let text = await views.readSampled { view in view.figures.map { view.metrics($0) } }
        guard let text else {
            return HTTPReply(status: 503, body: "the server is shutting down\n")
        }
        return HTTPReply(
            status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: text)
    }
}
