internal import GRPCWire
internal import Serving
internal import Testing

@Suite struct HTTPMessagesTests {
    @Test(
        "The target of a request is a path and a query, or a whole URL",
        arguments: [
            ("/a", "/a", ""), ("/a?", "/a", ""), ("/a?b=c", "/a", "b=c"), ("/a?b?c", "/a", "b?c"),
            ("/a#f", "/a", ""), ("/a?b#f", "/a", "b"), ("", "/", ""), ("?q", "/", "q"),
            ("http://h:1/a?b", "/a", "b"), ("https://h", "/", ""), ("http://h?q", "/", "q"),
            ("/go?to=http://h/x", "/go", "to=http://h/x"), ("*", "*", ""),
        ])
    func splitsTargets(target: String, path: String, query: String) {
        let request = HTTPRequest(
            "GET", target: target, headers: [], body: [], peer: Peer())
        #expect(request.path == path && request.query == query)
    }

    @Test(
        "Each gRPC status has the HTTP status of google.rpc.Code",
        arguments: zip(
            StatusCode.names.indices,
            [
                200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
            ]))
    func mapsStatuses(code: Int, status: Int) {
        let reply = HTTPReply(RPCError(StatusCode(rawValue: code), "why \"so\""))
        #expect(reply.status == status)
        let name = StatusCode.names[code]
        #expect(
            String(decoding: reply.body, as: UTF8.self)
                == "{\"code\":\"\(name)\",\"message\":\"why \\\"so\\\"\"}\n")
        #expect(reply.headers.contains { $0 == ("grpc-status", "\(code)") })
    }
}
