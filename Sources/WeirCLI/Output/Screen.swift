internal import Foundation
internal import GRPCWire

/// The size of the terminal of standard output.
struct Screen: Equatable {
    /// Nil for a file or a pipe, whose lines have any length.
    let columns: Int?
    /// Nil if the height is unknown.
    let rows: Int?

    /// A page without limits.
    static let unlimited = Screen(columns: nil, rows: nil)

    /// The present size, which a user can change at any time.
    static var current: Screen {
        var size = winsize()
        // Invariant: the call writes the whole structure. It fails for a file or a pipe.
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 else { return .unlimited }
        return Screen(
            columns: size.ws_col > 0 ? Int(size.ws_col) : nil,
            rows: size.ws_row > 0 ? Int(size.ws_row) : nil)
    }

    /// The lines of a page that fit, cut to the width. A line names the number of omitted lines.
    ///
    /// - Parameter footer: the number of lines at the end of the page that are always shown.
    func fitted(_ page: TerminalText, footer: Int) -> [String] {
        var lines = page.text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { line in columns.map { Self.cut(line, to: $0) } ?? String(line) }
        // The line after the last one belongs to the cursor.
        guard let rows, lines.count > max(1, rows - 1) else { return lines }
        let space = max(1, rows - 1)
        let kept = min(footer, space - 1)
        let head = max(0, space - kept - 1)
        let note = "… \(lines.count - head - kept) more lines"
        let end = lines.suffix(kept)
        lines = lines.prefix(head) + [columns.map { Self.cut(note[...], to: $0) } ?? note] + end
        return lines
    }

    /// The first columns of a line, with all its control sequences, which have no width.
    static func cut(_ line: Substring, to columns: Int) -> String {
        var output = ""
        var column = 0
        var isControl = false
        for character in line {
            if character == "\u{1b}" { isControl = true }
            if isControl {
                output.append(character)
                if character == "m" { isControl = false }
            } else if column + character.columns <= columns {
                output.append(character)
                column += character.columns
            }
        }
        return output
    }

    /// The parts of a paragraph, on as few lines as the width permits.
    ///
    /// - Parameters:
    ///   - parts: with their lengths, because control sequences have no width.
    ///   - indent: the indentation of the second and later lines.
    ///   - column: where the first line begins.
    func wrapped(
        _ parts: [(text: TerminalText, length: Int)], separator: String, indent: Int = 0,
        column: Int = 0
    ) -> TerminalText {
        var output: TerminalText = ""
        var column = column
        for (index, part) in parts.enumerated() {
            let next = index == 0 ? 0 : separator.count + part.length
            if index == 0 {
                output = part.text
                column += part.length
            } else if let columns, column + next > columns {
                output += "\n" + TerminalText(lines: String(repeating: " ", count: indent))
                output += part.text
                column = indent + part.length
            } else {
                output += "\(separator)" + part.text
                column += next
            }
        }
        return output
    }

    /// A text, escaped, on as few lines as the width permits. Words that are longer than a line are
    /// divided.
    func words(_ text: String, indent: Int) -> TerminalText {
        let words = text.printable(limit: TerminalText.maxValueBytes)
            .split(separator: " ", omittingEmptySubsequences: false)
        let limit = columns.map { max(1, $0 - indent) } ?? .max
        let parts = words.flatMap { word -> [Substring] in
            var (parts, rest) = ([Substring](), word)
            while rest.columns > limit {
                let part = rest.prefix(columns: limit)
                parts.append(rest.prefix(max(1, part.count)))
                rest = rest.dropFirst(max(1, part.count))
            }
            return parts + [rest]
        }
        return wrapped(parts.map { ("\($0)", $0.columns) }, separator: " ", indent: indent)
    }
}
