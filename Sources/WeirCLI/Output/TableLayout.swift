/// Which columns of a table are shown, and how wide.
///
/// A table that is wider than the terminal first shortens its long names, then drops columns in
/// their order, and at last shortens the names further. Space that remains widens names, then bars.
enum TableLayout {
    struct Column {
        /// The width of the widest cell.
        let natural: Int
        /// The width to which cells are shortened before any column is dropped.
        let usual: Int
        /// The least width.
        let least: Int
        /// Columns with lower numbers are dropped first; nil for a column that stays.
        let drop: Int?
        /// Whether the column receives space before others.
        let isText: Bool
    }

    /// The space between two columns.
    static let gap = 2

    /// - Parameter limit: the columns of the terminal; nil for any number.
    /// - Returns: the width of each column; nil for one that is not shown. If even the least widths
    ///   exceed the limit, the lines do.
    static func widths(_ columns: [Column], limit: Int?) -> [Int?] {
        guard let limit else { return columns.map(\.natural) }
        var shown = Array(columns.indices)
        func total(_ width: (Column) -> Int) -> Int {
            shown.reduce(0) { $0 + width(columns[$1]) } + gap * max(0, shown.count - 1)
        }
        while total(\.usual) > limit,
            let next = shown.filter({ columns[$0].drop != nil })
                .min(by: { (columns[$0].drop ?? 0) < (columns[$1].drop ?? 0) })
        {
            shown.removeAll { $0 == next }
        }
        let isUsual = total(\.usual) <= limit
        var widths: [Int?] = columns.map { _ in nil }
        for index in shown { widths[index] = isUsual ? columns[index].usual : columns[index].least }
        var spare = limit - total { isUsual ? $0.usual : $0.least }
        for isText in [true, false] {
            let growing = shown.filter { columns[$0].isText == isText }
            while spare > 0,
                let next = growing.filter({ (widths[$0] ?? 0) < columns[$0].natural })
                    .min(by: { (widths[$0] ?? 0) < (widths[$1] ?? 0) })
            {
                widths[next] = (widths[next] ?? 0) + 1
                spare -= 1
            }
        }
        return widths
    }
}
