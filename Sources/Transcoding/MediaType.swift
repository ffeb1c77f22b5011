/// A media type in lower case, without its parameters (RFC 9110 section 8.3.1).
struct MediaType: Equatable {
    let name: String

    init(_ value: some StringProtocol) {
        let name = value.prefix { $0 != ";" }.lowercased()
        self.name = String(name.filter { $0 != " " && $0 != "\t" })
    }

    var isJSON: Bool { name == "application/json" || name.hasSuffix("+json") }

    /// One JSON document on each line.
    var isLines: Bool {
        ["application/x-ndjson", "application/ndjson", "application/jsonl"].contains(name)
    }

    var isEvents: Bool { name == "text/event-stream" }

    /// Whether it is a range that contains JSON.
    fileprivate var containsJSON: Bool { isJSON || name == "application/*" || name == "*/*" }
}

/// How the messages of a stream are sent.
package enum StreamForm: Sendable, Equatable {
    /// One JSON array.
    case array
    /// One JSON document on each line.
    case lines
    /// Server-sent events. Source: the HTML standard, section 9.2.
    case events

    /// The form that a client prefers: of those in `Accept`, the one with the highest weight, and
    /// of several the first.
    package init(accept: String) {
        var best: (form: StreamForm, weight: Double) = (.array, 0)
        for range in accept.split(separator: ",") {
            let type = MediaType(range)
            let form: StreamForm? =
                type.isLines ? .lines : type.isEvents ? .events : type.containsJSON ? .array : nil
            let weight = Self.weight(of: range)
            if let form, weight > best.weight { best = (form, weight) }
        }
        self = best.form
    }

    /// The parameter `q` (RFC 9110 section 12.4.2).
    private static func weight(of range: Substring) -> Double {
        for parameter in range.split(separator: ";").dropFirst() {
            let text = parameter.filter { $0 != " " && $0 != "\t" }.lowercased()
            guard text.hasPrefix("q=") else { continue }
            let value = Double(text.dropFirst(2)) ?? 0
            return value.isFinite ? min(max(value, 0), 1) : 0
        }
        return 1
    }

    package var contentType: String {
        switch self {
        case .array: "application/json"
        case .lines: "application/x-ndjson"
        case .events: "text/event-stream"
        }
    }

    /// The bytes of one message.
    package func frame(_ json: [UInt8], isFirst: Bool) -> [UInt8] {
        switch self {
        case .array: Array((isFirst ? "[" : ",\n").utf8) + json
        case .lines: json + [UInt8(ascii: "\n")]
        case .events: Array("data: ".utf8) + json + Array("\n\n".utf8)
        }
    }

    /// The bytes after the last message.
    package func end(isEmpty: Bool) -> [UInt8] {
        self == .array ? Array((isEmpty ? "[]\n" : "]\n").utf8) : []
    }
}
