internal import Weir

@main
struct Prices {
    static func main() async throws {
        let v1 = service { article in article == "tea" ? 2.5 : 4 }
        let v2 = service { article in article == "tea" ? 2.25 : 3.75 }
        let server = try WeirServer(
            configuration(),
            backends: [
                HandlerBackend("prices-v1", services: [v1]),
                HandlerBackend("prices-v2", services: [v2]),
            ])
        try await server.start()
        try await server.createEndpoint("prices", route: "/prices.v1.Prices/", backend: "prices-v1")
        try await server.setTraffic("prices", ["prices-v1": 0.9, "prices-v2": 0.1])
        try await server.run()
    }

    static func service(price: @escaping @Sendable (String) -> Double) -> Service {
        Service("prices.v1.Prices")
            .unary("GetPrice") { (request: Prices_V1_GetPriceRequest, _) in
                guard !request.article.isEmpty else {
                    throw RPCError(.invalidArgument, "the request names no article")
                }
                return Prices_V1_GetPriceResponse(
                    article: request.article, price: price(request.article))
            }
    }

    /// Ports 8000 and 8001 of 127.0.0.1, unless the command line names two other addresses.
    static func configuration() throws -> WeirServer.Configuration {
        var configuration = WeirServer.Configuration()
        if CommandLine.arguments.count == 3 {
            configuration.data = try Address(CommandLine.arguments[1])
            configuration.admin = try Address(CommandLine.arguments[2])
        }
        return configuration
    }
}
