internal import Foundation
internal import GRPCWire

/// Formats a log event as one line without control characters, of bounded length.
enum LogLine {
    /// The size limit of a line with its line end. A longer line is cut and ends in "…".
    static let maxBytes = 8 << 10

    /// - Parameters:
    ///   - level: the name in swift-log.
    ///   - fields: in output order.
    /// - Returns: the line with its line end.
    static func text(
        level: String, label: String, message: String, fields: [(name: String, value: String)],
        at time: Date = .now
    ) -> String {
        let parts =
            [Self.text(of: time), level, "\(label):", message]
            + fields.map { "\($0.name)=\($0.value)" }
        // Cut before joining, because a message may be long.
        return parts.map { $0.printable(limit: maxBytes) }.joined(separator: " ")
            .printable(limit: maxBytes - 1) + "\n"
    }

    private static func text(of time: Date) -> String {
        time.formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true))
    }
}
