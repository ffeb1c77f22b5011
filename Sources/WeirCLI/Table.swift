internal import Foundation
internal import GRPCWire

/// A table. Cells are escaped, so that each cell has one line. The heading is dimmed on a terminal.
struct Table {
    enum Alignment { case left, right }

    struct Column {
        let title: String
        var alignment = Alignment.left
        /// Whether the cells are names, which can be shortened.
        var isName = false
        /// The widths between which the cells are bars.
        var bar: ClosedRange<Int>?
        /// The order in which columns are dropped on a narrow terminal; nil for one that stays.
        var drop: Int?
    }

    enum Cell {
        case text(String)
        /// Drawn with the width of its column.
        case bar((Int) -> String)
    }

    /// The size limit of a cell. `--json` prints longer values in full.
    static let maxCellBytes = 2_000
    /// The widths of a name: shortened before columns are dropped, and the least. On a narrow
    /// terminal, a name takes no more than a quarter before figures are dropped.
    private static let usualName = 20
    private static let leastName = 6

    private let columns: [Column]
    private var rows: [[Cell]] = []

    init(_ columns: [(title: String, alignment: Alignment)]) {
        self.init(columns.map { Column(title: $0.title, alignment: $0.alignment) })
    }

    init(_ columns: [Column]) { self.columns = columns }

    mutating func add(_ cells: [String]) { rows.append(cells.map { .text(Self.cell($0)) }) }

    mutating func add(_ cells: [Cell]) {
        rows.append(
            cells.map { cell in
                if case .text(let text) = cell { .text(Self.cell(text)) } else { cell }
            })
    }

    private static func cell(_ text: String) -> String { text.printable(limit: maxCellBytes) }

    var text: TerminalText { text(columns: nil) }

    /// - Parameter limit: the columns of the terminal; nil for any number.
    func text(columns limit: Int?) -> TerminalText {
        guard !rows.isEmpty else { return "none" }
        let titles = columns.map { Self.cell($0.title) }
        let layout = columns.indices.map { index in
            self.layout(
                of: columns[index], title: titles[index], cells: rows.map { $0[index] },
                name: min(Self.usualName, max(Self.leastName, (limit ?? .max) / 4)))
        }
        let widths = TableLayout.widths(layout, limit: limit)
        let heading = Style.dim(line(titles.map { .text($0) }, widths))
        return ([heading] + rows.map { line($0, widths) }).joined(separator: "\n")
    }

    private func layout(
        of column: Column, title: String, cells: [Cell], name: Int
    ) -> TableLayout.Column {
        if let bar = column.bar {
            return TableLayout.Column(
                natural: max(bar.upperBound, title.count),
                usual: max(bar.lowerBound, title.count),
                least: max(bar.lowerBound, title.count), drop: column.drop, isText: false)
        }
        let widest =
            cells.map { if case .text(let text) = $0 { text.columns } else { 0 } }.max() ?? 0
        let natural = max(title.count, widest)
        return TableLayout.Column(
            natural: natural, usual: column.isName ? min(natural, name) : natural,
            least: column.isName ? min(natural, Self.leastName) : natural, drop: column.drop,
            isText: true)
    }

    private func line(_ cells: [Cell], _ widths: [Int?]) -> TerminalText {
        let padded = cells.indices.compactMap { index -> String? in
            guard let width = widths[index] else { return nil }
            let text =
                switch cells[index] {
                case .text(let text): Style.shortened(text, to: width)
                case .bar(let draw): draw(width)
                }
            let space = String(repeating: " ", count: max(0, width - text.columns))
            return columns[index].alignment == .left ? text + space : space + text
        }
        let joined = padded.joined(separator: "  ")
        return TerminalText(lines: String(joined.reversed().drop { $0 == " " }.reversed()))
    }
}
