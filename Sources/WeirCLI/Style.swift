internal import Foundation
internal import Messages

/// Colours and cursor control, used only on terminals that show them.
enum Style {
    static let isTerminal = isTerminal(STDOUT_FILENO)
    static let isErrorTerminal = isTerminal(STDERR_FILENO)

    private static func isTerminal(_ descriptor: Int32) -> Bool {
        isatty(descriptor) == 1 && allowsControl(ProcessInfo.processInfo.environment)
    }

    /// Whether a terminal may receive control sequences. Without TERM, its kind is unknown. An
    /// empty NO_COLOR counts as unset (no-color.org).
    static func allowsControl(_ environment: [String: String]) -> Bool {
        !["", "dumb"].contains(environment["TERM", default: ""])
            && environment["NO_COLOR", default: ""].isEmpty
    }

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
        isTerminal ? text.styled(code) : text
    }

    /// Prints a page of a series. On a terminal, each page overwrites the previous one and fits.
    ///
    /// - Parameters:
    ///   - interval: the text about the next page, for example "every 1.0 s".
    ///   - footer: the number of lines at the end of the page that are always shown.
    static func draw(
        _ page: TerminalText, again interval: TerminalText, footer: Int = 0
    ) throws(Output.Failure) {
        guard isTerminal else { return try Output.print(page) }
        let text = page + "\n" + dim(interval + "; stop with Ctrl-C")
        let lines = Screen.current.fitted(text, footer: footer + 1)
        // The cursor moves to the top, each line overwrites the old one, and the rest is cleared:
        // no flicker.
        try Output.write(
            "\u{1b}[H" + lines.map { $0 + "\u{1b}[K\n" }.joined() + "\u{1b}[J")
    }

    /// A text with "…" in its middle if it is longer than the width. Names often end in a version.
    static func shortened(_ text: String, to width: Int) -> String {
        guard text.columns > width else { return text }
        guard width > 0 else { return "" }
        return text.prefix(columns: width / 2) + "…" + text.suffix(columns: width - 1 - width / 2)
    }

    /// The eighths of a full block.
    private static let eighths: [Character] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉"]

    /// A bar for a share from 0 to 1. A share above 0 is visible, and one below 1 is not full.
    static func bar(_ share: Double, width: Int = 20) -> String {
        guard width > 0 else { return "" }
        // NaN counts as 0.
        let bounded = min(1, max(0, share))
        var parts = Int((bounded * Double(width) * 8).rounded())
        if bounded > 0 { parts = max(1, parts) }
        if bounded < 1 { parts = min(width * 8 - 1, parts) }
        let (full, part) = parts.quotientAndRemainder(dividingBy: 8)
        let bar = String(repeating: "█", count: full) + (part > 0 ? "\(eighths[part - 1])" : "")
        return bar + String(repeating: "·", count: width - bar.count)
    }

    /// A share from 0 to 1 as a percentage. A share above 0 is not 0.00 %.
    static func percent(_ share: Double) -> String {
        share > 0 && share < 0.000_05 ? "<0.01 %" : String(format: "%.2f %%", share * 100)
    }

    /// A weight from 0 to 1, to six digits.
    static func weight(_ weight: Double) -> String {
        let exact = "\(weight)"
        guard exact.count > 8 else { return exact }
        let short = String(format: "%.6g", weight)
        // A weight below 1 is not 1.
        return short == "1" ? exact : short
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
