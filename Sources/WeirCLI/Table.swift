internal import Foundation

/// Text in columns. Numbers are set to the right, the heading is dimmed on a terminal.
struct Table {
    enum Alignment { case left, right }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

    mutating func add(_ cells: [String]) { rows.append(cells) }

    var text: String {
        guard !rows.isEmpty else { return "none" }
        let widths = columns.indices.map { column in
            max(columns[column].title.count, rows.map { $0[column].count }.max() ?? 0)
        }
        let heading = line(columns.map(\.title), widths)
        return ([Style.dim(heading)] + rows.map { line($0, widths) }).joined(separator: "\n")
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        let padded = cells.indices.map { index in
            let space = String(repeating: " ", count: widths[index] - cells[index].count)
            return columns[index].alignment == .left ? cells[index] + space : space + cells[index]
        }
        let joined = padded.joined(separator: "  ")
        return String(joined.reversed().drop { $0 == " " }.reversed())
    }
}

/// Colours and controls, only where a terminal shows them.
enum Style {
    static let isTerminal = isatty(STDOUT_FILENO) == 1
    static let isErrorTerminal = isatty(STDERR_FILENO) == 1

    private static let hasColour =
        isTerminal && ProcessInfo.processInfo.environment["NO_COLOR"] == nil

    static func dim(_ text: String) -> String { wrap(text, "2") }
    static func bold(_ text: String) -> String { wrap(text, "1") }
    static func green(_ text: String) -> String { wrap(text, "32") }
    static func yellow(_ text: String) -> String { wrap(text, "33") }
    static func red(_ text: String) -> String { wrap(text, "31") }

    /// Red for bad news.
    static func verdict(_ text: String, isBad: Bool) -> String { wrap(text, isBad ? "1;31" : "1") }

    /// Prints a page; one that will be drawn again in so many seconds is drawn over the last one.
    static func draw(_ page: String, again interval: Double?) {
        guard let interval, isTerminal else { return print(page) }
        let text = page + "\n" + dim("every \(interval) s, Ctrl-C ends")
        // Home, draw over what is there, clear the rest: no flicker.
        print(
            "\u{1b}[H" + text.replacing("\n", with: "\u{1b}[K\n") + "\u{1b}[K\n\u{1b}[J",
            terminator: "")
    }

    private static func wrap(_ text: String, _ code: String) -> String {
        hasColour ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }

    /// A bar for a share from 0 to 1.
    static func bar(_ share: Double, width: Int = 20) -> String {
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
}
