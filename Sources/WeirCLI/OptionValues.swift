internal import ArgumentParser
internal import Foundation
internal import Messages
internal import Rollouts

/// Parses options that are numbers. Every number has a range. A value outside it is a usage error
/// that names the option, the value and the range.
enum Bounded {
    /// A whole number.
    static func whole<Number: FixedWidthInteger & Sendable>(
        _ range: ClosedRange<Number>
    ) -> @Sendable (String) throws -> Number {
        { text in
            guard let number = Number(text), range.contains(number) else {
                throw ValidationError(
                    "use a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
    }

    /// A decimal number. Ranges do not contain NaN.
    static func decimal(_ range: ClosedRange<Double>) -> @Sendable (String) throws -> Double {
        { text in
            guard let number = number(text), range.contains(number) else {
                throw ValidationError(
                    String(
                        format: "use a number from %g to %g", range.lowerBound, range.upperBound))
            }
            return number
        }
    }

    /// A decimal number; nil for other texts, including the hexadecimal numbers that `Double`
    /// reads.
    private static func number(_ text: some StringProtocol) -> Double? {
        text.utf8.contains { $0 | 0x20 == UInt8(ascii: "x") } ? nil : Double(text)
    }

    /// Parses a number that is part of an option's value.
    static func finite(_ text: Substring, _ range: String) throws -> Double {
        guard let number = number(text), number.isFinite else {
            throw ValidationError("invalid number '\(text)': use \(range)")
        }
        return number
    }

    /// A share: a number, a percentage or a fraction (`0.9`, `90%`, `1/3`). The server checks the
    /// range.
    @Sendable static func share(_ text: String) throws -> Double {
        let form = "a number from 0 to 1, a percentage such as 90%, or a fraction such as 1/3"
        if text.hasSuffix("%") { return try finite(text.dropLast(), form) / 100 }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return try finite(text[...], form) }
        let share = try finite(parts[0], form) / finite(parts[1], form)
        guard share.isFinite else { throw ValidationError("invalid number '\(text)': use \(form)") }
        return share
    }

    /// `90s`, `10m`, `1h`, `500ms`. The server checks the range.
    @Sendable static func duration(_ text: String) throws -> Google_Protobuf_Duration {
        guard let milliseconds = DurationText.milliseconds(text) else {
            throw ValidationError("use a number with a unit, for example 500ms, 90s, 10m or 1h")
        }
        return Google_Protobuf_Duration(seconds: milliseconds / 1_000)
    }

    /// `NAME=REST`.
    static func pair(_ text: String, _ form: String) throws -> (name: String, rest: Substring) {
        guard let equals = text.lastIndex(of: "="), equals != text.startIndex else {
            throw ValidationError("use \(form)")
        }
        return (String(text[..<equals]), text[text.index(after: equals)...])
    }
}

/// `BACKEND=SHARE`: a weight or a proportion. The server checks the range.
struct Assignment {
    let backend: String
    let value: Double

    @Sendable static func parse(_ text: String) throws -> Assignment {
        let pair = try Bounded.pair(text, "BACKEND=SHARE")
        return Assignment(backend: pair.name, value: try Bounded.share(String(pair.rest)))
    }
}

extension Weir_Admin_V1_FieldTolerance {
    /// `FIELD=AMOUNT` or `FIELD=SHARE%`. The server checks the range.
    @Sendable static func parse(_ text: String) throws -> Weir_Admin_V1_FieldTolerance {
        let pair = try Bounded.pair(text, "FIELD=AMOUNT or FIELD=SHARE%")
        let range = "a number that is not negative, or a percentage"
        return pair.rest.hasSuffix("%")
            ? .init(
                field: pair.name, relative: try Bounded.finite(pair.rest.dropLast(), range) / 100)
            : .init(field: pair.name, absolute: try Bounded.finite(pair.rest, range))
    }
}

extension Google_Protobuf_Duration {
    /// The form of protobuf's JSON, `1.500000000s`.
    var jsonText: String {
        let sign = seconds < 0 || nanos < 0 ? "-" : ""
        let fraction = "\(nanos.magnitude)"
        let zeros = String(repeating: "0", count: max(0, 9 - fraction.count))
        return "\(sign)\(seconds.magnitude).\(zeros)\(fraction)s"
    }

    /// The seconds of an option, clamped to the range of a Duration.
    init(seconds: Double) {
        let range = Self.secondsRange
        // `min` and `max` also turn NaN into a bound.
        let bounded = max(Double(range.lowerBound), min(Double(range.upperBound), seconds))
        let whole = bounded.rounded(.towardZero)
        self.init(seconds: Int64(whole), nanos: Int32((bounded - whole) * 1e9))
    }
}
