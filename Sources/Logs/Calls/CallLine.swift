internal import GRPCWire
internal import Messages
package import Observability
internal import Traces

/// Formats records of calls as lines.
package struct CallLine {
    /// The forms of a line.
    package enum Format: CaseIterable, Sendable {
        /// One JSON object.
        case json
        /// `name=value` pairs, for human readers.
        case logfmt
    }

    /// The size limit of one text of a line.
    static let maxTextBytes = 1_024

    private let format: LineFields.Format
    private var time = LineTime()

    package init(_ format: Format) { self.format = format == .json ? .json : .logfmt }

    /// Appends a line with its line end. Fields without a value are left out.
    package mutating func append(_ call: CallRecord, to output: inout [UInt8]) {
        var fields = LineFields(format)
        func add(_ name: String, _ text: String) {
            fields.add(name, text, limit: Self.maxTextBytes)
        }
        func addUnlessEmpty(_ name: String, _ text: String) {
            if !text.isEmpty { add(name, text) }
        }
        add("time", time.text(call.endedAt, decimals: 6))
        add("status", call.code.description)
        addUnlessEmpty("endpoint", call.endpoint)
        addUnlessEmpty("backend", call.backend)
        addUnlessEmpty("replica", call.replica)
        add("method", call.method)
        add("protocol", call.form.rawValue)
        fields.add("attempts", number: "\(call.attempts)")
        fields.add("duration_ms", number: Self.milliseconds(call.phases.total))
        fields.add("queue_ms", number: Self.milliseconds(call.phases.queue))
        fields.add("upstream_ms", number: Self.milliseconds(call.phases.upstream))
        fields.add("response_ms", number: Self.milliseconds(call.phases.response))
        fields.add("request_bytes", number: "\(call.requestBytes)")
        fields.add("response_bytes", number: "\(call.responseBytes)")
        if let point = call.shardPoint {
            // As text, because many JSON readers round numbers over 2^53.
            add("shard_point", "0x" + point.padded(16, radix: 16))
        }
        if call.revision > 0 { fields.add("revision", number: "\(call.revision)") }
        if let isCandidate = call.isCandidate {
            add("rollout", isCandidate ? "candidate" : "baseline")
        }
        if let trace = call.trace {
            add("trace_id", trace.traceID.hex)
            add("span_id", trace.spanID.hex)
        }
        if call.isShadow { fields.add("shadow", number: "true") }
        addUnlessEmpty("client", call.peer)
        addUnlessEmpty("message", call.message)
        fields.end(&output)
    }

    /// Milliseconds with microseconds as decimals.
    static func milliseconds(_ nanoseconds: UInt64) -> String {
        let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return "\(whole).\((rest / 1_000).padded(3))"
    }
}
