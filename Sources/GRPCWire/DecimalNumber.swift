/// Numbers in headers: one to nine decimal digits, so that every value fits in an `Int32` and a sum
/// of a few values cannot overflow. A sign, a space or a tenth digit is invalid.
package enum DecimalNumber {
    /// The largest value that `parse` returns.
    package static let maximum = 999_999_999

    /// The value, from 0 to `maximum`; nil for any other text.
    package static func parse(_ digits: Span<UInt8>) -> Int? {
        guard (1...9).contains(digits.count) else { return nil }
        var value = 0
        for index in digits.indices {
            guard digits[index].isDigit else { return nil }
            value = value * 10 + Int(digits[index] - 48)
        }
        return value
    }
}
