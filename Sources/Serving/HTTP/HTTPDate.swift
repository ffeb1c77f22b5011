internal import struct FoundationEssentials.Date

/// Times as HTTP writes them.
enum HTTPDate {
    private static let secondsPerDay: Int64 = 86_400
    /// The end of the year 9999.
    private static let latest: Int64 = 253_402_300_799
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// IMF-fixdate of RFC 9110 section 5.6.7.
    ///
    /// - Parameter seconds: since 1970, from 0 to the end of the year 9999; other values are
    ///   clamped.
    static func text(unixSeconds seconds: Int64) -> String {
        let seconds = min(max(seconds, 0), latest)
        let days = Int(seconds / secondsPerDay)
        let second = Int(seconds % secondsPerDay)
        let (year, month, day) = date(days)
        let time = [second / 3_600, second / 60 % 60, second % 60].map { digits($0, 2) }
        return "\(weekdays[days % 7]), \(digits(day, 2)) \(months[month - 1]) \(digits(year, 4)) "
            + time.joined(separator: ":") + " GMT"
    }

    /// Howard Hinnant's `civil_from_days`: years begin in March, so that a leap day is the last
    /// one.
    ///
    /// - Returns: the month is 1 to 12.
    private static func date(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
    }

    private static func digits(_ number: Int, _ count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
}

/// The current time as text, made once a second.
struct HTTPClock {
    private var second: Int64 = -1
    private var text = ""

    /// The value of `Date`.
    mutating func date() -> String {
        let now = Int64(exactly: Date().timeIntervalSince1970.rounded(.down)) ?? 0
        if now != second {
            second = now
            text = HTTPDate.text(unixSeconds: now)
        }
        return text
    }
}
