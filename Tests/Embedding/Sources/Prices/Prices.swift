internal import Weir

@main
struct Prices {
    static func main() async throws {
        let v1 = PriceList(prices: ["tea": 2.5], other: 4)
        let v2 = PriceList(prices: ["tea": 2.25], other: 3.75)
        let server = try WeirServer(
            configuration(),
            backends: [
                HandlerBackend("prices-v1", services: [v1.weirService]),
                HandlerBackend("prices-v2", services: [v2.weirService]),
            ])
        try await server.start()
        try await server.createEndpoint("prices", route: "/prices.v1.Prices/", backend: "prices-v1")
        try await server.setTraffic("prices", ["prices-v1": 0.9, "prices-v2": 0.1])
        try await server.run()
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

/// Implements the service that `prices.proto` declares.
struct PriceList: Prices_V1_PricesService {
    let prices: [String: Double]
    let other: Double

    func getPrice(
        _ request: Prices_V1_GetPriceRequest, _ context: CallContext
    ) async throws -> Prices_V1_GetPriceResponse {
        guard !request.article.isEmpty else {
            throw RPCError(.invalidArgument, "the request names no article")
        }
        return Prices_V1_GetPriceResponse(
            article: request.article, price: prices[request.article] ?? other)
    }
}
