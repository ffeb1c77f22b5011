internal import GRPCWire
internal import HTTP2Session
internal import Traces
internal import Transport

/// The headers of a request that connect it to a trace. Like `RequestHead`, it refers to fields of
/// the header block, which it does not contain.
struct TraceHeaders {
    /// Nil without `traceparent`, and with more than one.
    private var parent: HeaderBlock.Field?
    private var hasManyParents = false
    /// `grpc-trace-bin`; nil likewise.
    private var binary: HeaderBlock.Field?
    private var hasManyBinaries = false
    /// Whether the caller may have set the flag of a sampled trace: `context` must be read.
    private(set) var mayBeSampled = false

    var hasBinary: Bool { binary != nil || hasManyBinaries }

    mutating func found(parent field: HeaderBlock.Field, in headers: HeaderBlock) {
        if parent != nil { hasManyParents = true }
        parent = hasManyParents ? nil : field
        mayBeSampled =
            mayBeSampled || TraceContext.mayBeSampled(headers.value(of: field))
    }

    mutating func found(binary field: HeaderBlock.Field) {
        if binary != nil { hasManyBinaries = true }
        binary = hasManyBinaries ? nil : field
        mayBeSampled = true
    }

    /// The caller's context; nil without a valid one. Reads `grpc-trace-bin` if no valid
    /// `traceparent` exists.
    func context(in headers: HeaderBlock) -> TraceContext? {
        if let parent, let context = TraceContext(parent: headers.value(of: parent)) {
            return context
        }
        guard let binary, binary.value.count <= 64,
            let bytes = Base64.decode(headers.array(binary))
        else { return nil }
        return TraceContext(binary: bytes)
    }

    /// The value of `tracestate`, which is valid only together with a `traceparent`.
    func state(in headers: HeaderBlock) -> String {
        guard let parent, TraceContext(parent: headers.value(of: parent)) != nil else { return "" }
        return TraceState.joined(headers.all(.traceState).map { headers.array($0) })
    }
}
