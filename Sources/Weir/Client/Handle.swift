internal import GRPCWire
internal import Messages
internal import Serving

internal import struct FoundationEssentials.Data
internal import class FoundationEssentials.JSONDecoder
internal import class FoundationEssentials.JSONEncoder

/// Calls one endpoint by its name, without a `.proto`. `with` returns a handle with other settings.
public struct Handle: Sendable {
    /// The response of a backend.
    public struct Response: Sendable {
        /// The body.
        public let body: [UInt8]
        /// The media type of the body.
        public let contentType: String
        /// The HTTP status.
        public let status: Int
        /// The backend that answered; nil if the server does not report it.
        public let backend: String?
    }

    private let client: WeirClient
    /// The name of the endpoint.
    public let endpoint: String
    private var options: WeirClient.CallOptions
    private var request = Weir_V1_CallRequest()

    package init(
        _ client: WeirClient, _ endpoint: String,
        _ options: WeirClient.CallOptions = WeirClient.CallOptions()
    ) {
        self.client = client
        self.endpoint = endpoint
        self.options = options
        self.options.metadata.add("x-serve-endpoint", endpoint)
    }

    /// A handle with other settings. Omitted arguments keep their values.
    ///
    /// - Parameters:
    ///   - shardKey: Weir routes the same key to the same backend.
    ///   - method: the method of the backend's object.
    ///   - query: the URL-encoded query, which the backend receives like that of an HTTP request.
    ///   - timeout: the time until DEADLINE_EXCEEDED.
    ///   - retry: whether Weir may retry a failed call.
    public func with(
        shardKey: String? = nil, method: String? = nil, query: String? = nil,
        timeout: Duration? = nil, retry: WeirClient.Retry? = nil
    ) -> Handle {
        var other = self
        if let shardKey { other.options.shardKey = shardKey }
        if let method { other.request.methodName = method }
        if let query { other.request.query = query }
        if let timeout { other.options.timeout = timeout }
        if let retry { other.options.retry = retry }
        return other
    }

    /// Sends bytes and returns the response.
    public func call(
        bytes: [UInt8], contentType: String = "application/octet-stream"
    ) async throws -> Response {
        var request = request
        request.payload = bytes
        request.contentType = contentType
        let (reply, call): (Weir_V1_CallResponse, ClientCall) = try await client.exchange(
            MethodPath.serveCall.description, request, options)
        return Response(
            body: reply.payload,
            contentType: reply.contentType.isEmpty ? "application/json" : reply.contentType,
            status: reply.httpStatus == 0 ? 200 : Int(reply.httpStatus),
            backend: await call.trailingMetadata["x-serve-backend"])
    }

    /// Sends a value as JSON, and decodes the response from JSON.
    public func call<Question: Encodable, Answer: Decodable>(
        _ question: Question, as answer: Answer.Type = Answer.self
    ) async throws -> Answer {
        let body = Array(try JSONEncoder().encode(question))
        let response = try await call(bytes: body, contentType: "application/json")
        return try JSONDecoder().decode(Answer.self, from: Data(response.body))
    }
}
