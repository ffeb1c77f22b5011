internal import GRPCWire
internal import Messages

/// Times of lines, in UTC (RFC 3339). Keeps the text of the latest second.
struct LineTime {
    private var second: (number: Int64, text: String)?

    /// - Parameters:
    ///   - nanoseconds: since 1970.
    ///   - decimals: of the second, at most 9.
    mutating func text(_ nanoseconds: UInt64, decimals: Int) -> String {
        let (seconds, fraction) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let number = Int64(seconds)
        if second?.number != number { second = (number, Self.text(second: number)) }
        return "\(second?.text ?? "").\(fraction.padded(9).prefix(decimals))Z"
    }

    private static func text(second number: Int64) -> String {
        let (day, second) = CivilDate.split(number)
        let date = CivilDate(day: day)
        let clock = [second / 3_600, second / 60 % 60, second % 60].map { $0.padded(2) }
        return "\(date.year.padded(4))-\(date.month.padded(2))-\(date.day.padded(2))T"
            + clock.joined(separator: ":")
    }
}
