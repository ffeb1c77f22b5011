/// Finds the name that a misspelled one probably means.
package enum NameSuggestion {
    /// The longest name that is compared, so that a comparison is cheap.
    private static let maxBytes = 128

    /// The known name that differs from a name by the fewest inserted, deleted, replaced or swapped
    /// bytes, at most one of four; nil if none is that close.
    package static func closest(to name: String, in known: some Sequence<String>) -> String? {
        let wanted = Array(name.lowercased().utf8)
        guard wanted.count <= maxBytes else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in known {
            let other = Array(candidate.lowercased().utf8)
            let limit = max(wanted.count, other.count) / 4
            guard other.count <= maxBytes, abs(other.count - wanted.count) <= limit else {
                continue
            }
            let distance = distance(wanted, other)
            if distance <= limit, distance < best?.distance ?? .max {
                best = (candidate, distance)
            }
        }
        return best?.name
    }

    /// The optimal string alignment distance.
    static func distance(_ from: [UInt8], _ to: [UInt8]) -> Int {
        var (beforeLast, last) = ([Int](), Array(0...to.count))
        for (row, byte) in from.enumerated() {
            var current = [row + 1]
            for (column, other) in to.enumerated() {
                var least = min(
                    last[column + 1] + 1, current[column] + 1,
                    last[column] + (byte == other ? 0 : 1))
                if row > 0, column > 0, byte == to[column - 1], from[row - 1] == other {
                    least = min(least, beforeLast[column - 1] + 1)
                }
                current.append(least)
            }
            (beforeLast, last) = (last, current)
        }
        return last[to.count]
    }
}
