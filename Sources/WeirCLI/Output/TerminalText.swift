internal import GRPCWire

/// Text for a terminal. String literals are shown unchanged. Every interpolated value is escaped,
/// so that no external name, comment or message can move the cursor, change a colour or begin a
/// line.
struct TerminalText: ExpressibleByStringInterpolation, Sendable {
    /// The size limit of a value. A longer value is cut and ends in "…".
    static let maxValueBytes = 4 << 10

    /// The escaped text.
    private(set) var text: String

    init(stringLiteral text: String) { self.text = text }

    init(stringInterpolation: Interpolation) { text = stringInterpolation.text }

    /// Text of several lines; all control characters except line ends are escaped.
    init(lines: String) {
        text = lines.split(separator: "\n", omittingEmptySubsequences: false)
            .map { String($0).printable(limit: Self.maxValueBytes) }
            .joined(separator: "\n")
    }

    struct Interpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity)
        }

        mutating func appendLiteral(_ literal: String) { text += literal }

        mutating func appendInterpolation(_ value: TerminalText) { text += value.text }

        mutating func appendInterpolation(_ value: some CustomStringConvertible) {
            text += value.description.printable(limit: TerminalText.maxValueBytes)
        }

        mutating func appendInterpolation(_ error: any Error) {
            text += "\(error)".printable(limit: TerminalText.maxValueBytes)
        }
    }

    static func + (left: TerminalText, right: TerminalText) -> TerminalText { "\(left)\(right)" }

    static func += (left: inout TerminalText, right: TerminalText) { left.text += right.text }

    /// The text between two control sequences (ECMA-48, SGR).
    func styled(_ code: StaticString) -> TerminalText {
        TerminalText(stringLiteral: "\u{1b}[\(code)m\(text)\u{1b}[0m")
    }

    var isEmpty: Bool { text.isEmpty }
}

extension [TerminalText] {
    func joined(separator: StaticString = "") -> TerminalText {
        TerminalText(stringLiteral: map(\.text).joined(separator: "\(separator)"))
    }
}
