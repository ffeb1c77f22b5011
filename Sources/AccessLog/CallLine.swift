internal import GRPCWire
internal import Messages
package import Observability
internal import Traces

/// Formats records of calls as lines.
package struct CallLine {
    /// The forms of a line.
    package enum Format: String, CaseIterable, Sendable {
        /// One JSON object.
        case json
        /// `name=value` pairs, for human readers.
        case logfmt
    }

    /// The size limit of one text of a line, before escaping. A longer one is cut and ends in "…".
    static let maxTextBytes = 1_024

    private let format: Format
    /// The latest second, and its text.
    private var second: (number: Int64, text: String)?

    package init(_ format: Format) { self.format = format }

    /// Appends a line with its line end. Fields without a value are left out.
    package mutating func append(_ call: CallRecord, to output: inout [UInt8]) {
        var fields = Fields(format)
        fields.add("time", time(call.time))
        fields.add("status", call.code.description)
        fields.addUnlessEmpty("endpoint", call.endpoint)
        fields.addUnlessEmpty("backend", call.backend)
        fields.addUnlessEmpty("replica", call.replica)
        fields.add("method", call.method)
        fields.add("protocol", call.form.rawValue)
        fields.add("attempts", number: "\(call.attempts)")
        fields.add("duration_ms", number: Self.milliseconds(call.phases.total))
        fields.add("queue_ms", number: Self.milliseconds(call.phases.queue))
        fields.add("upstream_ms", number: Self.milliseconds(call.phases.upstream))
        fields.add("response_ms", number: Self.milliseconds(call.phases.response))
        fields.add("request_bytes", number: "\(call.requestBytes)")
        fields.add("response_bytes", number: "\(call.responseBytes)")
        if let point = call.shardPoint {
            // As text, because many JSON readers round numbers over 2^53.
            fields.add("shard_point", "0x" + point.padded(16, radix: 16))
        }
        if call.revision > 0 { fields.add("revision", number: "\(call.revision)") }
        if let trace = call.trace {
            fields.add("trace_id", trace.traceID.hex)
            fields.add("span_id", trace.spanID.hex)
        }
        if call.isShadow { fields.add("shadow", number: "true") }
        fields.addUnlessEmpty("client", call.peer)
        fields.addUnlessEmpty("message", call.message)
        fields.end(&output)
    }

    private mutating func time(_ microseconds: Int64) -> String {
        let bounded = min(max(0, microseconds), 253_402_300_799_999_999)
        let (number, fraction) = bounded.quotientAndRemainder(dividingBy: 1_000_000)
        if second?.number != number { second = (number, Self.text(second: number)) }
        return (second?.text ?? "") + "." + fraction.padded(6) + "Z"
    }

    private static func text(second number: Int64) -> String {
        let (day, second) = CivilDate.split(number)
        let date = CivilDate(day: day)
        let clock = [second / 3_600, second / 60 % 60, second % 60].map { $0.padded(2) }
        return "\(date.year.padded(4))-\(date.month.padded(2))-\(date.day.padded(2))T"
            + clock.joined(separator: ":")
    }

    /// Milliseconds with microseconds as decimals.
    static func milliseconds(_ nanoseconds: UInt64) -> String {
        let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return "\(whole).\((rest / 1_000).padded(3))"
    }
}

/// The fields of one line.
private struct Fields {
    private let format: CallLine.Format
    private var bytes: [UInt8] = []

    init(_ format: CallLine.Format) {
        self.format = format
        bytes.reserveCapacity(640)
    }

    mutating func addUnlessEmpty(_ name: StaticString, _ text: String) {
        if !text.isEmpty { add(name, text) }
    }

    mutating func add(_ name: StaticString, _ text: String) {
        begin(name)
        let isPlain = text.utf8.allSatisfy(Self.isPlain)
        let isBare = format == .logfmt && !text.isEmpty && !text.utf8.contains(where: Self.isSplit)
        if !(isPlain && isBare) { bytes.append(UInt8(ascii: "\"")) }
        if isPlain, text.utf8.count <= CallLine.maxTextBytes {
            bytes.append(contentsOf: text.utf8)
        } else {
            escape(text)
        }
        if !(isPlain && isBare) { bytes.append(UInt8(ascii: "\"")) }
    }

    /// Adds a value that needs no quotes in JSON.
    mutating func add(_ name: StaticString, number text: String) {
        begin(name)
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func begin(_ name: StaticString) {
        switch format {
        case .json:
            bytes.append(UInt8(ascii: bytes.isEmpty ? "{" : ","))
            bytes.append(contentsOf: "\"\(name)\":".utf8)
        case .logfmt:
            if !bytes.isEmpty { bytes.append(UInt8(ascii: " ")) }
            bytes.append(contentsOf: "\(name)=".utf8)
        }
    }

    func end(_ output: inout [UInt8]) {
        output.append(contentsOf: bytes)
        if format == .json { output.append(UInt8(ascii: "}")) }
        output.append(UInt8(ascii: "\n"))
    }

    /// Whether a byte needs no escape in quotes.
    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x20...0x7e).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    /// Whether a plain byte would end a value of logfmt without quotes.
    private static func isSplit(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "=")
    }

    /// Appends text with the escapes of JSON, which logfmt also uses.
    private mutating func escape(_ text: String) {
        var count = 0
        for scalar in text.unicodeScalars {
            count += UTF8.width(scalar)
            guard count <= CallLine.maxTextBytes else {
                bytes.append(contentsOf: "…".utf8)
                return
            }
            switch scalar {
            case "\"": bytes.append(contentsOf: "\\\"".utf8)
            case "\\": bytes.append(contentsOf: "\\\\".utf8)
            case "\n": bytes.append(contentsOf: "\\n".utf8)
            // All of them have at most four digits.
            case _ where scalar.isControl:
                bytes.append(contentsOf: "\\u\(scalar.value.padded(4, radix: 16))".utf8)
            default: bytes.append(contentsOf: String(scalar).utf8)
            }
        }
    }
}
