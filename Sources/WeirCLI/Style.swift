internal import Foundation
internal import Messages

/// Colours and controls, only where a terminal shows them.
enum Style {
    static let isTerminal = isTerminal(STDOUT_FILENO)
    static let isErrorTerminal = isTerminal(STDERR_FILENO)

    /// Whether it is a terminal that understands control sequences.
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

    /// Red for bad news.
    static func verdict(_ text: TerminalText, isBad: Bool) -> TerminalText {
        wrap(text, isBad ? "1;31" : "1")
    }

    private static func wrap(_ text: TerminalText, _ code: StaticString) -> TerminalText {
        hasColour ? text.styled(code) : text
    }

    /// Prints a page. On a terminal, one of a series is drawn over the one before.
    ///
    /// - Parameter interval: seconds until the next page of the series; nil for a page of its own.
    static func draw(_ page: TerminalText, again interval: Double?) throws(Output.Failure) {
        guard let interval, isTerminal else { return try Output.print(page) }
        let text = page + "\n" + dim("every \(interval) s, Ctrl-C ends")
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

    /// The width of the terminal; nil if it does not say.
    private static var columns: Int? {
        var size = winsize()
        // The structure is filled in by the call.
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 else { return nil }
        return size.ws_col > 0 ? Int(size.ws_col) : nil
    }

    /// The first columns of a line, with all of its control sequences, which take no column.
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
        // Not a number counts as 0.
        let filled = Int((min(1, max(0, share)) * Double(width)).rounded())
        return String(repeating: "█", count: filled)
            + String(repeating: "·", count: width - filled)
    }

    /// A share from 0 to 1 as a percentage.
    static func percent(_ share: Double) -> String {
        String(format: "%.2f %%", share * 100)
    }

    /// Microseconds in a unit that suits them.
    static func latency(_ microseconds: Double) -> String {
        switch microseconds {
        case 0: "-"
        case ..<1_000: String(format: "%.0f us", microseconds)
        case ..<1_000_000: String(format: "%.1f ms", microseconds / 1_000)
        default: String(format: "%.2f s", microseconds / 1_000_000)
        }
    }

    /// How long ago a time was; one in the future counts as now.
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
