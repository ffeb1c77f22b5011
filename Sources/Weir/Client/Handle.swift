internal import GRPCWire
internal import Messages
internal import Serving

internal import struct FoundationEssentials.Data
internal import class FoundationEssentials.JSONDecoder
internal import class FoundationEssentials.JSONEncoder

/// Calls one endpoint by its name, without a `.proto`. The `with...` methods make other handles.
public struct Handle: Sendable {
    /// What a backend has answered.
    public struct Response: Sendable {
        /// The bytes.
        public let body: [UInt8]
        /// Their media type.
        public let contentType: String
        /// The status that an HTTP client would see.
        public let status: Int
        /// Who has answered; nil when the server does not say.
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

    /// A handle that calls in another way; what is not given stays.
    ///
    /// - Parameters:
    ///   - shardKey: the same key reaches the same backend.
    ///   - method: another method of the object behind the backend.
    ///   - query: reaches the backend as the query of an HTTP request does; encoded as in a URL.
    ///   - timeout: until DEADLINE_EXCEEDED.
    ///   - retry: whether a call that failed is made again.
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

    /// Sends bytes and waits for the answer.
    public func call(
        bytes: [UInt8], contentType: String = "application/octet-stream"
    ) async throws -> Response {
        var request = request
        request.payload = bytes
        request.contentType = contentType
        let (reply, call): (Weir_V1_CallResponse, ClientCall) = try await client.exchange(
            MethodPath.dynamicCall.description, request, options)
        return Response(
            body: reply.payload,
            contentType: reply.contentType.isEmpty ? "application/json" : reply.contentType,
            status: reply.httpStatus == 0 ? 200 : Int(reply.httpStatus),
            backend: await call.trailingMetadata["x-serve-backend"])
    }

    /// Sends a value as JSON, and reads the answer as JSON.
    public func call<Question: Encodable, Answer: Decodable>(
        _ question: Question, as answer: Answer.Type = Answer.self
    ) async throws -> Answer {
        let body = Array(try JSONEncoder().encode(question))
        let response = try await call(bytes: body, contentType: "application/json")
        return try JSONDecoder().decode(Answer.self, from: Data(response.body))
    }
}
