internal import GRPCWire
public import Messages

extension Service {
    /// `weir.v1.Serve`: answers plain HTTP requests, and calls of an endpoint by its name.
    ///
    /// ```swift
    /// HandlerBackend("hello", services: [
    ///     .dynamic { request, _ in
    ///         Weir_V1_CallResponse(
    ///             payload: Array("Hello, \(request.path)".utf8), contentType: "text/plain")
    ///     }
    /// ])
    /// ```
    public static func dynamic(
        _ handler:
            @escaping @Sendable (Weir_V1_CallRequest, CallContext) async throws ->
            Weir_V1_CallResponse
    ) -> Service {
        let path = MethodPath.serveCall
        return Service(path.service).unary(path.method) {
            (request: Weir_V1_CallRequest, context) in
            try context.checkBody(request.payload)
            return try await handler(request, context)
        }
    }
}
