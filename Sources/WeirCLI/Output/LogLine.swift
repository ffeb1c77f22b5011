internal import Foundation
internal import GRPCWire

/// The form of a line of the log: one event is one line, without control characters, of bounded
/// length.
enum LogLine {
    /// The most bytes of a line with its end; a longer one ends in "…".
    static let maxBytes = 8 << 10

    /// - Parameters:
    ///   - level: as swift-log names it.
    ///   - fields: in the order in which they are written.
    /// - Returns: the line with its end.
    static func text(
        level: String, label: String, message: String, fields: [(name: String, value: String)],
        at time: Date = .now
    ) -> String {
        let parts =
            [Self.text(of: time), level, "\(label):", message]
            + fields.map { "\($0.name)=\($0.value)" }
        // Bounded before they are joined: a message may be long.
        return parts.map { $0.printable(limit: maxBytes) }.joined(separator: " ")
            .printable(limit: maxBytes - 1) + "\n"
    }

    private static func text(of time: Date) -> String {
        time.formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true))
    }
}
