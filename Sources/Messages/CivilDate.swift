/// A date of the Gregorian calendar in the years 0 to 9999.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
package struct CivilDate: Equatable, Sendable {
    package let year: Int64
    /// 1 to 12.
    package let month: Int64
    /// 1 to 31.
    package let day: Int64

    /// Days from 1 March of year 0 to 1 January 1970.
    private static let epoch: Int64 = 719_468
    private static let eraDays: Int64 = 146_097

    /// The day since 1 January 1970, and the second of the day.
    package static func split(_ seconds: Int64) -> (day: Int64, second: Int64) {
        let (quotient, remainder) = seconds.quotientAndRemainder(dividingBy: 86_400)
        return remainder < 0 ? (quotient - 1, remainder + 86_400) : (quotient, remainder)
    }

    /// - Parameter number: days since 1 January 1970, not before 1 March of year 0.
    package init(day number: Int64) {
        let shifted = number + Self.epoch
        let (era, inEra) = shifted.quotientAndRemainder(dividingBy: Self.eraDays)
        let years = (inEra - inEra / 1_460 + inEra / 36_524 - inEra / 146_096) / 365
        let inYear = inEra - (365 * years + years / 4 - years / 100)
        let march = (5 * inYear + 2) / 153
        day = inYear - (153 * march + 2) / 5 + 1
        month = march < 10 ? march + 3 : march - 9
        year = era * 400 + years + (month <= 2 ? 1 : 0)
    }

    /// Nil if the day does not exist. Each number has at most four digits.
    package init?(year: Int64, month: Int64, day: Int64) {
        guard year > 0, (1...12).contains(month), (1...31).contains(day) else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
        // 31 April converts to 1 May, so an invalid date does not convert back to itself.
        guard Self(day: dayNumber) == self else { return nil }
    }

    /// Days since 1 January 1970.
    package var dayNumber: Int64 {
        let marchYear = month <= 2 ? year - 1 : year
        let (era, inEra) = marchYear.quotientAndRemainder(dividingBy: 400)
        let inYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * Self.eraDays + inEra * 365 + inEra / 4 - inEra / 100 + inYear - Self.epoch
    }
}
