internal import GRPCWire

/// Text for people. What the source code writes, its string literals, is shown as it is. Every
/// value put into it is escaped, so that no name, comment or message from outside can move the
/// cursor, change a colour or begin a line.
struct TerminalText: ExpressibleByStringInterpolation, Sendable {
    /// The most bytes of one value; a longer one ends in "…".
    static let maxValueBytes = 4 << 10

    /// Ready to be written.
    private(set) var text: String

    init(stringLiteral text: String) { self.text = text }

    init(stringInterpolation: Interpolation) { text = stringInterpolation.text }

    /// Text of several lines: everything but the ends of lines is escaped.
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

    /// Between two control sequences of ANSI terminals (ECMA-48, SGR).
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
