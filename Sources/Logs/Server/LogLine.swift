internal import GRPCWire

/// The form of a line of the server's log.
package enum LogFormat: String, CaseIterable, Sendable {
    /// `TIME LEVEL LABEL: MESSAGE NAME=VALUE ...`, for operators.
    case text
    /// `time=TIME level=LEVEL logger=LABEL msg=MESSAGE NAME=VALUE ...`
    case logfmt
    /// One JSON object.
    case json
}

/// An event of the server's log, without its time.
package struct LogEntry: Hashable, Sendable {
    /// One datum of an event.
    struct Field: Hashable, Sendable {
        var name: String
        var value: String
    }

    /// The name in swift-log.
    var level: String
    var label: String
    var message: String
    /// In output order.
    var fields: [Field] = []
}

/// Formats events of the server's log as lines without control characters, of bounded length.
struct LogLine {
    /// The size limit of a line with its line end. A longer line is cut.
    static let maxBytes = 8 << 10
    /// The size limits of parts of a line of `logfmt` and `json`, escaped.
    private static let maxHeadBytes = 128
    private static let maxMessageBytes = 4 << 10
    private static let maxValueBytes = 2 << 10

    private let format: LogFormat
    private var time = LineTime()

    init(_ format: LogFormat) { self.format = format }

    /// - Parameter now: nanoseconds since 1970.
    /// - Returns: the line with its line end. A cut line of `text` ends in "…"; one of another
    ///   format has no further fields than `truncated`.
    mutating func bytes(_ entry: LogEntry, at now: UInt64) -> [UInt8] {
        let time = time.text(now, decimals: 3)
        return switch format {
        case .text: Self.plain(entry, time)
        case .logfmt: Self.line(entry, time, .logfmt, message: "msg")
        case .json: Self.line(entry, time, .json, message: "message")
        }
    }

    private static func plain(_ entry: LogEntry, _ time: String) -> [UInt8] {
        let parts =
            [time, entry.level, "\(entry.label):", entry.message]
            + entry.fields.map { "\($0.name)=\(readable($0.value))" }
        // Cut before joining, because a message may be long.
        let text = parts.map { $0.printable(limit: maxBytes) }.joined(separator: " ")
        return Array("\(text.printable(limit: maxBytes - 1))\n".utf8)
    }

    /// - Parameter message: the name of the message. A field with the name of another part of the
    ///   line gets the suffix `_`.
    private static func line(
        _ entry: LogEntry, _ time: String, _ format: LineFields.Format, message: String
    ) -> [UInt8] {
        var line = LineFields(format)
        line.add("time", time, limit: maxHeadBytes)
        line.add("level", entry.level, limit: maxHeadBytes)
        line.add("logger", entry.label, limit: maxHeadBytes)
        line.add(message, entry.message, limit: maxMessageBytes)
        let taken = ["time", "level", "logger", message, "truncated"]
        for field in entry.fields {
            var next = line
            let name = safe(field.name)
            next.add(taken.contains(name) ? name + "_" : name, field.value, limit: maxValueBytes)
            var cut = next
            cut.add("truncated", "true", limit: maxHeadBytes)
            guard cut.count <= maxBytes else {
                line.add("truncated", "true", limit: maxHeadBytes)
                break
            }
            line = next
        }
        var bytes: [UInt8] = []
        line.end(&bytes)
        return bytes
    }

    /// A name of letters, digits and `_.-`, which no format quotes.
    private static func safe(_ name: String) -> String {
        let bytes = name.utf8.prefix(maxHeadBytes).map { byte in
            byte.isDigit || (0x61...0x7a).contains(byte | 0x20) || "_.-".utf8.contains(byte)
                ? byte : UInt8(ascii: "_")
        }
        return bytes.isEmpty ? "_" : String(decoding: bytes, as: UTF8.self)
    }

    /// A value of `text`: in quotes if necessary, with controls as in the rest of the line.
    private static func readable(_ value: String) -> String {
        let isBare =
            !value.isEmpty
            && !value.unicodeScalars.contains {
                $0.needsEscape || $0 == " " || $0 == "\"" || $0 == "=" || $0 == "\\"
            }
        guard !isBare else { return value }
        let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return "\"\(escaped.printable(limit: maxBytes))\""
    }
}
