internal import Messages
internal import Transport

/// `GET /-/routes`: the routes of the endpoints, as Ray Serve 1.0 reports them.
enum RouteTable {
    private static let path = "/-/routes"

    /// The response; nil for other requests.
    static func reply(to request: HTTPRequest, _ snapshot: RoutingSnapshot) -> HTTPReply? {
        guard request.path == path, request.method == "GET" || request.method == "HEAD" else {
            return nil
        }
        let routes = snapshot.allEndpoints.map { endpoint in
            let route = endpoint.route.description
            let methods = endpoint.methods.listed
            return (
                // An endpoint without a route is called by its name.
                key: route.isEmpty ? endpoint.name : route,
                value: JSONValue.array([
                    .string(endpoint.name), .array(methods.map { .string($0) }),
                ])
            )
        }
        return HTTPReply(
            status: 200, contentType: "application/json",
            body: Array((JSONValue.object(routes).text(indent: 0) + "\n").utf8))
    }
}
