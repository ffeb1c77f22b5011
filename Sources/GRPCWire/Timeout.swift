/// The `grpc-timeout` header: 1 to 8 digits and a unit ("Timeout" in `PROTOCOL-HTTP2.md`).
package enum Timeout {
    private static let nanosecondsByUnit: [(unit: UInt8, nanoseconds: Int64)] = [
        (UInt8(ascii: "n"), 1),
        (UInt8(ascii: "u"), 1_000),
        (UInt8(ascii: "m"), 1_000_000),
        (UInt8(ascii: "S"), 1_000_000_000),
        (UInt8(ascii: "M"), 60_000_000_000),
        (UInt8(ascii: "H"), 3_600_000_000_000),
    ]

    private static let maximumValue: Int64 = 99_999_999

    /// Nanoseconds, saturating at the largest Int64; nil if the text is not a timeout.
    ///
    /// - Parameter maxDigits: 8 in gRPC, at most 18.
    package static func parse(_ text: Span<UInt8>, maxDigits: Int = 8) -> Int64? {
        guard text.count > 1, text.count <= maxDigits + 1 else { return nil }
        let last = text[text.count - 1]
        guard let unit = nanosecondsByUnit.first(where: { $0.unit == last }) else { return nil }
        var value: Int64 = 0
        for index in 0..<text.count - 1 {
            guard text[index].isDigit else { return nil }
            value = value * 10 + Int64(text[index] - 48)
        }
        let (product, overflow) = value.multipliedReportingOverflow(by: unit.nanoseconds)
        return overflow ? .max : product
    }

    /// The text of a timeout, in the finest unit that fits in eight digits, rounded up so that the
    /// deadline is never shortened. An expired timeout becomes the shortest one.
    package static func format(nanoseconds: Int64) -> String {
        let nanoseconds = max(1, nanoseconds)
        for (unit, size) in nanosecondsByUnit {
            let value = (nanoseconds - 1) / size + 1
            if value <= maximumValue { return "\(value)" + String(UnicodeScalar(unit)) }
        }
        return "\(maximumValue)H"
    }
}
