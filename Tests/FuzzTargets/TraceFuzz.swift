internal import GRPCWire
internal import HTTP2Session
internal import Transport

@testable internal import Serving
@testable internal import Traces

/// The headers of traces.
enum TraceFuzz {
    static func feed(_ bytes: [UInt8]) {
        if let context = TraceContext(parent: bytes.span) {
            check(context)
            precondition(TraceContext.mayBeSampled(bytes.span) || !context.isSampled)
        }
        if let context = TraceContext(binary: bytes) { check(context) }
        precondition(TraceState.joined([bytes, bytes]).utf8.count <= TraceState.maxBytes)
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: " ", maxSplits: 1)
        if let sampler = try? TraceSampler(
            name: String(parts.first ?? ""), argument: parts.count == 2 ? String(parts[1]) : nil)
        {
            _ = sampler.samplesOnlyByParent
        }
        request(bytes)
    }

    /// A context that was read is written so that it reads as the same one.
    private static func check(_ context: TraceContext) {
        let parent = context.parent
        precondition(parent.count == TraceContext.parentBytes)
        precondition(TraceContext(parent: parent.span) == context)
        let binary = TraceContext(binary: context.binary)
        precondition(binary?.traceID == context.traceID && binary?.spanID == context.spanID)
        precondition(binary?.isSampled == context.isSampled)
        precondition(TraceID(hex: Array(context.traceID.hex.utf8).span) == context.traceID)
    }

    /// Each line is a header; its first byte selects the name.
    private static func request(_ bytes: [UInt8]) {
        var headers = HeaderBlock()
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let header = KnownHeader.tracing[Int(line.first ?? 0) % KnownHeader.tracing.count]
            headers.append(header.name, bytes: line.dropFirst(), known: header.rawValue)
        }
        let trace = RequestHead(headers).trace
        let context = TraceHeaders.context(in: headers)
        // An unsampled call is never read further.
        precondition(trace.mayBeSampled || context?.isSampled != true)
        if let context { check(context) }
        precondition(TraceHeaders.state(in: headers).utf8.count <= TraceState.maxBytes)
    }
}
