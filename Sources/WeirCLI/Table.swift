internal import Foundation
internal import GRPCWire

/// A table. Cells are escaped, so that each cell has one line. The heading is dimmed on a terminal.
struct Table {
    enum Alignment { case left, right }

    /// The size limit of a cell. `--json` prints longer values in full.
    static let maxCellBytes = 2_000

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    init(_ columns: [(title: String, alignment: Alignment)]) {
        self.columns = columns.map { (Self.cell($0.title), $0.alignment) }
    }

    mutating func add(_ cells: [String]) { rows.append(cells.map(Self.cell)) }

    private static func cell(_ text: String) -> String { text.printable(limit: maxCellBytes) }

    var text: TerminalText {
        guard !rows.isEmpty else { return "none" }
        let widths = columns.indices.map { column in
            max(columns[column].title.count, rows.map { $0[column].count }.max() ?? 0)
        }
        let heading = Style.dim(line(columns.map(\.title), widths))
        return ([heading] + rows.map { line($0, widths) }).joined(separator: "\n")
    }

    private func line(_ cells: [String], _ widths: [Int]) -> TerminalText {
        let padded = cells.indices.map { index in
            let space = String(repeating: " ", count: widths[index] - cells[index].count)
            return columns[index].alignment == .left ? cells[index] + space : space + cells[index]
        }
        let joined = padded.joined(separator: "  ")
        return TerminalText(lines: String(joined.reversed().drop { $0 == " " }.reversed()))
    }
}
