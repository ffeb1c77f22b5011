internal import Foundation
internal import GRPCWire

/// The form of a line of the log.
enum LogFormat: String, CaseIterable, Sendable {
    /// `TIME LEVEL LABEL: MESSAGE NAME=VALUE ...`, for operators.
    case text
    /// `time=TIME level=LEVEL logger=LABEL msg=MESSAGE NAME=VALUE ...`
    case logfmt
    /// One JSON object.
    case json
}

/// An event of the log, without its time.
struct LogEntry: Hashable, Sendable {
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

/// Formats a log event as one line without control characters, of bounded length.
enum LogLine {
    /// The size limit of a line with its line end. A longer line is cut.
    static let maxBytes = 8 << 10
    /// The size limits of parts of a line of `logfmt` and `json`, quoted.
    private static let maxMessageBytes = 4 << 10
    private static let maxValueBytes = 2 << 10
    private static let maxNameBytes = 128

    /// - Returns: the line with its line end. A cut line of `text` ends in "…"; one of another
    ///   format has no further fields than `truncated`.
    static func text(
        _ entry: LogEntry, _ format: LogFormat = .text, at time: Date = .now
    ) -> String {
        switch format {
        case .text: plain(entry, time)
        case .logfmt:
            line(
                entry, time, names: ["time", "level", "logger", "msg"], between: " ",
                value: bare, end: "\n"
            ) { "\($0)=\($1)" }
        case .json:
            line(
                entry, time, names: ["time", "level", "logger", "message"], between: ",",
                value: quoted, start: "{", end: "}\n"
            ) { "\"\($0)\":\($1)" }
        }
    }

    private static func plain(_ entry: LogEntry, _ time: Date) -> String {
        let parts =
            [text(of: time), entry.level, "\(entry.label):", entry.message]
            + entry.fields.map { "\($0.name)=\(readable($0.value))" }
        // Cut before joining, because a message may be long.
        return parts.map { $0.printable(limit: maxBytes) }.joined(separator: " ")
            .printable(limit: maxBytes - 1) + "\n"
    }

    /// - Parameters:
    ///   - names: of the time, the level, the label and the message. A field with such a name gets
    ///     the suffix `_`.
    ///   - value: quotes a value if necessary.
    private static func line(
        _ entry: LogEntry, _ time: Date, names: [String], between: String,
        value: (String, Int) -> String, start: String = "", end: String,
        pair: (String, String) -> String
    ) -> String {
        let heads = [
            (text(of: time), 64), (entry.level, 64), (entry.label, maxNameBytes),
            (entry.message, maxMessageBytes),
        ]
        var line =
            start
            + zip(names, heads).map { pair($0, value($1.0, $1.1)) }
            .joined(separator: between)
        let cut = between + pair("truncated", value("true", 8)) + end
        for field in entry.fields {
            var name = safe(field.name)
            if names.contains(name) || name == "truncated" { name += "_" }
            let next = between + pair(name, value(field.value, maxValueBytes))
            guard line.utf8.count + next.utf8.count + cut.utf8.count <= maxBytes else {
                return line + cut
            }
            line += next
        }
        return line + end
    }

    /// A name of letters, digits and `_.-`, which no format quotes.
    private static func safe(_ name: String) -> String {
        let bytes = name.utf8.prefix(maxNameBytes).map { byte in
            byte.isDigit || (0x61...0x7a).contains(byte | 0x20) || "_.-".utf8.contains(byte)
                ? byte : UInt8(ascii: "_")
        }
        return bytes.isEmpty ? "_" : String(decoding: bytes, as: UTF8.self)
    }

    /// Whether a value needs quotes to be read again.
    private static func needsQuotes(_ value: String) -> Bool {
        value.isEmpty
            || value.unicodeScalars.contains {
                $0.needsEscape || $0 == " " || $0 == "\"" || $0 == "=" || $0 == "\\"
            }
    }

    /// A value of `text`: in quotes if necessary, with controls as in the rest of the line.
    private static func readable(_ value: String) -> String {
        guard needsQuotes(value) else { return value }
        let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return "\"\(escaped.printable(limit: maxBytes))\""
    }

    /// A value of `logfmt`: in quotes if necessary, with JSON's escapes.
    private static func bare(_ value: String, limit: Int) -> String {
        needsQuotes(value) || value.utf8.count > limit ? quoted(value, limit: limit) : value
    }

    /// A JSON string (RFC 8259 section 7), of which more than `limit` bytes are cut and end in "…".
    private static func quoted(_ value: String, limit: Int) -> String {
        var text = "\""
        for scalar in value.unicodeScalars {
            let next =
                switch scalar {
                case "\"": "\\\""
                case "\\": "\\\\"
                case "\n": "\\n"
                case "\r": "\\r"
                case "\t": "\\t"
                case _ where scalar.needsEscape: scalar.jsonEscape
                default: String(scalar)
                }
            guard text.utf8.count + next.utf8.count <= limit else { return text + "…\"" }
            text += next
        }
        return text + "\""
    }

    /// In UTC, with milliseconds (RFC 3339).
    private static func text(of time: Date) -> String {
        time.formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true)) + "Z"
    }
}
