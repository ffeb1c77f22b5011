// Timestamps and durations in JSON. Values outside protobuf's range have no JSON form.

extension Google_Protobuf_Timestamp {
    /// The years 1 to 9999. Source: `google/protobuf/timestamp.proto`.
    package static let secondsRange: ClosedRange<Int64> = -62_135_596_800...253_402_300_799
    private static let nanosRange: ClosedRange<Int32> = 0...999_999_999

    /// The valid ranges, for errors.
    static let rule =
        "seconds must be from \(secondsRange.lowerBound) to \(secondsRange.upperBound), "
        + "nanos from \(nanosRange.lowerBound) to \(nanosRange.upperBound)"

    /// Whether the time is one of the years 1 to 9999.
    package var isValid: Bool {
        Self.secondsRange.contains(seconds) && Self.nanosRange.contains(nanos)
    }

    /// The time in UTC as in RFC 3339, `2026-01-31T12:00:00.500Z`; nil if it is invalid.
    package var text: String? {
        guard isValid else { return nil }
        let (day, second) = CivilDate.split(seconds)
        let date = CivilDate(day: day)
        let time = [second / 3_600, second / 60 % 60, second % 60]
        return "\(date.year.padded(4))-\(date.month.padded(2))-\(date.day.padded(2))T"
            + time.map { $0.padded(2) }.joined(separator: ":")
            + Digits.fraction(nanos) + "Z"
    }

    /// Parses a time of RFC 3339; nil for other text and invalid times.
    package init?(text: String) {
        var digits = Digits(text)
        guard let year = digits.number(4), digits.skip("-"), let month = digits.number(2),
            digits.skip("-"), let day = digits.number(2), digits.skip("T"),
            let hour = digits.number(2), hour < 24, digits.skip(":"),
            let minute = digits.number(2), minute < 60, digits.skip(":"),
            let second = digits.number(2), second < 60,
            let nanos = digits.fraction(), let offset = digits.offset(), digits.isAtEnd,
            let date = CivilDate(year: year, month: month, day: day)
        else { return nil }
        let time = hour * 3_600 + minute * 60 + second
        // Cannot overflow, because a year has four digits.
        self.init(seconds: date.dayNumber * 86_400 + time - offset, nanos: nanos)
        guard isValid else { return nil }
    }
}

extension Google_Protobuf_Duration {
    /// 10,000 years. Source: `google/protobuf/duration.proto`.
    package static let secondsRange: ClosedRange<Int64> = -315_576_000_000...315_576_000_000
    private static let maximumNanos: Int32 = 999_999_999

    /// The valid ranges, for errors.
    static let rule =
        "seconds must be from \(secondsRange.lowerBound) to \(secondsRange.upperBound), "
        + "nanos from -\(maximumNanos) to \(maximumNanos), both of one sign"

    /// Whether the span is within 10,000 years and both numbers have the same sign.
    package var isValid: Bool {
        Self.secondsRange.contains(seconds)
            && (-Self.maximumNanos...Self.maximumNanos).contains(nanos)
            && (seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0))
    }

    /// The span in seconds, `1.500s`; nil if it is invalid.
    package var text: String? {
        guard isValid else { return nil }
        let sign = seconds < 0 || nanos < 0 ? "-" : ""
        return "\(sign)\(seconds.magnitude)\(Digits.fraction(nanos))s"
    }

    /// Parses a number of seconds with the suffix `s`; nil for other text and invalid spans.
    package init?(text: String) {
        var digits = Digits(text)
        let isNegative = digits.skip("-")
        guard let seconds = digits.number(), let nanos = digits.fraction(), digits.skip("s"),
            digits.isAtEnd
        else { return nil }
        // Neither is negative, so negation cannot overflow.
        self.init(
            seconds: isNegative ? -seconds : seconds, nanos: isNegative ? -nanos : nanos)
        guard isValid else { return nil }
    }
}

/// Parses and formats the digits of times.
private struct Digits {
    private var rest: ArraySlice<UInt8>

    init(_ text: String) { rest = Array(text.utf8)[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard let first = rest.first, UInt32(first) == character.value else { return false }
        rest.removeFirst()
        return true
    }

    /// Parses 1 to 18 digits, or exactly the given count.
    mutating func number(_ count: Int? = nil) -> Int64? {
        let digits = rest.prefix { (48...57).contains($0) }.prefix(count ?? .max)
        guard (1...18).contains(digits.count), count.map({ $0 == digits.count }) ?? true else {
            return nil
        }
        rest = rest.dropFirst(digits.count)
        return digits.reduce(0) { $0 * 10 + Int64($1 - 48) }
    }

    /// Parses a point and 1 to 9 digits as nanoseconds; 0 without a point.
    mutating func fraction() -> Int32? {
        guard skip(".") else { return 0 }
        let count = rest.prefix { (48...57).contains($0) }.count
        guard (1...9).contains(count), let number = number(count) else { return nil }
        return (count..<9).reduce(Int32(truncatingIfNeeded: number)) { value, _ in value * 10 }
    }

    /// Parses `Z` or an offset from UTC such as `+01:30`, in seconds.
    mutating func offset() -> Int64? {
        if skip("Z") { return 0 }
        let isNegative = skip("-")
        guard isNegative || skip("+"), let hours = number(2), hours < 24, skip(":"),
            let minutes = number(2), minutes < 60
        else { return nil }
        let seconds = hours * 3_600 + minutes * 60
        return isNegative ? -seconds : seconds
    }

    /// Formats a point and 3, 6 or 9 digits; empty for 0.
    static func fraction(_ nanos: Int32) -> String {
        guard nanos != 0 else { return "" }
        var digits = nanos.magnitude.padded(9)
        while digits.hasSuffix("000") { digits.removeLast(3) }
        return "." + digits
    }
}
