internal import Messages

internal import struct FoundationEssentials.Date

/// The format of times in HTTP.
enum HTTPDate {
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// IMF-fixdate of RFC 9110 section 5.6.7.
    ///
    /// - Parameter seconds: since 1970, from 0 to the end of the year 9999; other values are
    ///   clamped.
    static func text(unixSeconds seconds: Int64) -> String {
        let seconds = min(max(seconds, 0), Google_Protobuf_Timestamp.secondsRange.upperBound)
        let (day, second) = CivilDate.split(seconds)
        let date = CivilDate(day: day)
        let time = [second / 3_600, second / 60 % 60, second % 60].map { $0.padded(2) }
        // The day is not negative, and the month is 1 to 12.
        let (weekday, month) = (weekdays[Int(day % 7)], months[Int(date.month) - 1])
        return "\(weekday), \(date.day.padded(2)) \(month) \(date.year.padded(4)) "
            + time.joined(separator: ":") + " GMT"
    }
}

/// The current time as text, updated once a second.
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
