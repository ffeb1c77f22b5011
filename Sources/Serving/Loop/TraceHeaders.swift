internal import GRPCWire
internal import HTTP2Session
internal import Traces
internal import Transport

/// Whether a request has headers that connect it to a trace. They are read from the header block
/// only when the context is needed.
struct TraceHeaders {
    /// Whether the request has such a header: only then can it have a context.
    private(set) var isPresent = false
    /// Whether the caller may have set the flag of a sampled trace: `context` must be read.
    private(set) var mayBeSampled = false

    /// The longest base64 text that is decoded.
    private static let maxBinaryBytes = 64

    mutating func found(parent field: HeaderBlock.Field, in headers: HeaderBlock) {
        isPresent = true
        if TraceContext.mayBeSampled(headers.value(of: field)) { mayBeSampled = true }
    }

    mutating func foundBinary() {
        isPresent = true
        mayBeSampled = true
    }

    /// The caller's context; nil without a valid one. Reads `grpc-trace-bin` if the request has no
    /// valid `traceparent`. Two headers with one name count as none.
    static func context(in headers: HeaderBlock) -> TraceContext? {
        if let context = parent(in: headers) { return context }
        guard let field = headers.only(.traceBinary), field.value.count <= maxBinaryBytes,
            let bytes = Base64.decode(headers.array(field))
        else { return nil }
        return TraceContext(binary: bytes)
    }

    private static func parent(in headers: HeaderBlock) -> TraceContext? {
        headers.only(.traceParent).flatMap { TraceContext(parent: headers.value(of: $0)) }
    }

    /// The value of `tracestate`, which is valid only together with a `traceparent`.
    static func state(in headers: HeaderBlock) -> String {
        guard parent(in: headers) != nil else { return "" }
        return TraceState.joined(headers.all(.traceState).map { headers.array($0) })
    }
}
