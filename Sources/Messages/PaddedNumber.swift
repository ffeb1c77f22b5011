extension BinaryInteger {
    /// The digits of a non-negative number in lower case, padded with leading zeros to `width`.
    package func padded(_ width: Int, radix: Int = 10) -> String {
        let digits = String(self, radix: radix)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
