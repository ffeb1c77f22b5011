internal import Foundation
internal import Messages

/// Colours and cursor control, used only on terminals.
enum Style {
    static let isTerminal = isTerminal(STDOUT_FILENO)
    static let isErrorTerminal = isTerminal(STDERR_FILENO)

    /// Whether a descriptor is a terminal with control sequences.
    private static func isTerminal(_ descriptor: Int32) -> Bool {
        isatty(descriptor) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    }

    /// An empty NO_COLOR counts as unset (no-color.org).
    private static let hasColour =
        isTerminal && ProcessInfo.processInfo.environment["NO_COLOR", default: ""].isEmpty

    static func dim(_ text: TerminalText) -> TerminalText { wrap(text, "2") }
    static func bold(_ text: TerminalText) -> TerminalText { wrap(text, "1") }
    static func green(_ text: TerminalText) -> TerminalText { wrap(text, "32") }
    static func yellow(_ text: TerminalText) -> TerminalText { wrap(text, "33") }
    static func red(_ text: TerminalText) -> TerminalText { wrap(text, "31") }

    /// Red, for errors.
    static func verdict(_ text: TerminalText, isBad: Bool) -> TerminalText {
        wrap(text, isBad ? "1;31" : "1")
    }

    private static func wrap(_ text: TerminalText, _ code: StaticString) -> TerminalText {
        hasColour ? text.styled(code) : text
    }

    /// Prints a page. On a terminal, each page of a series overwrites the previous one.
    ///
    /// - Parameter interval: seconds until the next page of the series; nil for a single page.
    static func draw(_ page: TerminalText, again interval: Double?) throws(Output.Failure) {
        guard let interval, isTerminal else { return try Output.print(page) }
        let text = page + "\n" + dim("every \(interval) s; stop with Ctrl-C")
        let lines = columns.map { columns in
            text.text.split(separator: "\n", omittingEmptySubsequences: false)
                .map { cut($0, to: columns) }.joined(separator: "\n")
        }
        // The cursor moves to the top, each line overwrites the old one, and the rest is cleared:
        // no flicker.
        try Output.write(
            "\u{1b}[H" + (lines ?? text.text).replacing("\n", with: "\u{1b}[K\n")
                + "\u{1b}[K\n\u{1b}[J")
    }

    /// The width of the terminal; nil if unknown.
    private static var columns: Int? {
        var size = winsize()
        // Invariant: the call writes the whole structure.
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 else { return nil }
        return size.ws_col > 0 ? Int(size.ws_col) : nil
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
            } else if column < columns {
                output.append(character)
                column += 1
            }
        }
        return output
    }

    /// A bar for a share from 0 to 1.
    static func bar(_ share: Double, width: Int = 20) -> String {
        // NaN counts as 0.
        let filled = Int((min(1, max(0, share)) * Double(width)).rounded())
        return String(repeating: "█", count: filled)
            + String(repeating: "·", count: width - filled)
    }

    /// A share from 0 to 1 as a percentage.
    static func percent(_ share: Double) -> String {
        String(format: "%.2f %%", share * 100)
    }

    /// Microseconds in a suitable unit.
    static func latency(_ microseconds: Double) -> String {
        switch microseconds {
        case 0: "-"
        case ..<1_000: String(format: "%.0f us", microseconds)
        case ..<1_000_000: String(format: "%.1f ms", microseconds / 1_000)
        default: String(format: "%.2f s", microseconds / 1_000_000)
        }
    }

    /// The age of a time; a time in the future has age 0.
    static func age(_ time: Google_Protobuf_Timestamp) -> String {
        let seconds = max(0, Date.now.timeIntervalSince1970 - Double(time.seconds))
        return seconds < 120
            ? String(format: "%.0f s", seconds) : String(format: "%.0f min", seconds / 60)
    }

    /// In UTC, to the second.
    static func time(_ time: Google_Protobuf_Timestamp?) -> String {
        guard let time else { return "-" }
        return Google_Protobuf_Timestamp(seconds: time.seconds).text
            ?? "\(time.seconds) s after 1970"
    }
}
