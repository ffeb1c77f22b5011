internal import GRPCWire
internal import Observability
internal import Transport

/// The form in which a client of HTTP sends a call and receives its response: gRPC-Web, Connect, or
/// another one. A `WebCall` makes the gRPC call; the form converts the bytes in both directions.
///
/// ```
///   body of the request ---request--> gRPC frames ---> ServerCall
///   head and body       <--response-- gRPC frames <--- ServerCall
///   trailers or error   <----end----- status and trailers
/// ```
///
/// To add a form: parse the request head, resolve the path of the method (`Router.resolve`), make
/// the form, and call `WebCall.begin`. The call gets the schema of the chosen backend before the
/// first `request` if `needsSchema` is true. All functions are pure: they neither wait nor send. An
/// error that they throw ends the call, and `end` gets it.
protocol WebForm {
    /// Whether the functions need the schema of the method: to convert JSON, or to check what the
    /// method is.
    var needsSchema: Bool { get }
    /// Whether the call begins before its first message is complete.
    var isStreamed: Bool { get }
    /// Bytes that wait for the rest of their message.
    var heldBytes: Int { get }
    /// The form in records of calls.
    var recordForm: CallRecord.Form { get }

    /// Checks the method, once, before the first `request`.
    mutating func check(_ schema: MethodSchema) throws(RPCError)
    /// Converts bytes of the request's body to gRPC frames.
    ///
    /// - Parameter schema: nil unless `needsSchema`.
    mutating func request(
        _ bytes: RawSpan, isLast: Bool, _ schema: MethodSchema?
    ) throws(RPCError) -> WebBytes
    /// The backend's response begins.
    mutating func began(_ head: WebHead) throws(RPCError) -> WebOutput
    /// Converts gRPC frames of the response.
    mutating func response(_ bytes: RawSpan, _ schema: MethodSchema?) throws(RPCError) -> WebBytes
    /// A successful response is complete. An error becomes the status of the call.
    mutating func complete(_ schema: MethodSchema?) throws(RPCError)
    /// The call has ended.
    mutating func end(_ end: WebEnd, _ schema: MethodSchema?) -> WebOutput
}

extension WebForm {
    mutating func check(_ schema: MethodSchema) throws(RPCError) {}
    mutating func complete(_ schema: MethodSchema?) throws(RPCError) {}
}

/// Converted bytes.
enum WebBytes {
    /// The input, unchanged.
    case same
    case bytes([UInt8])
    /// Bytes of a response that may begin with them.
    case output(WebOutput)
}

/// The head of a backend's response.
struct WebHead {
    /// Custom metadata, and the fields of a status.
    var fields: [HTTPFields.Field] = []
    /// `grpc-encoding`.
    var encoding = MessageEncoding.identity
    /// The name of the backend, which is also a trailer.
    var backend: [HTTPFields.Field] = []
}

/// The end of a call.
struct WebEnd {
    var error: RPCError?
    /// The head's metadata, if the response has not begun.
    var headers: [HTTPFields.Field] = []
    /// Trailing metadata, with `grpc-status-details-bin`, without the code and the message.
    var trailers: [HTTPFields.Field] = []
    /// The HTTP status of a refusal that has no call, for forms whose errors have one.
    var httpStatus: Int?

    /// The end of a call that does not begin.
    static func refusal(_ error: RPCError, httpStatus: Int? = nil) -> WebEnd {
        WebEnd(
            error: error, trailers: error.metadata.fields.map { ($0.name, $0.value) },
            httpStatus: httpStatus)
    }
}

/// What a form sends to the client.
struct WebOutput {
    struct Head {
        var status = 200
        var contentType: String
        var fields: [HTTPFields.Field]
    }

    /// Nil if it was sent before, or is sent later.
    var head: Head?
    var body: [UInt8] = []
    var isLast = false
    /// Whether the response ends before its body is complete.
    var isBroken = false

    static var nothing: WebOutput { WebOutput() }
}

/// The messages of a method, by the schema of the backend that the call has.
struct MethodSchema {
    let json: MessageJSON
    /// Whether unknown fields of JSON are ignored, as protobuf ignores them.
    let ignoresUnknown: Bool

    func request(from json: [UInt8]) throws(RPCError) -> [UInt8] {
        try self.json.request(from: json, ignoresUnknown: ignoresUnknown)
    }

    func json(of reply: [UInt8]) throws(RPCError) -> [UInt8] {
        try json.json(of: reply, printsDefaults: false)
    }
}
