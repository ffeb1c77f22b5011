internal import Testing

@testable internal import GRPCWire

@Suite struct DecimalNumberTests {
    @Test(
        "One to nine digits are a number",
        arguments: [
            ("0", 0), ("7", 7), ("007", 7), ("2147483", 2_147_483),
            ("999999999", DecimalNumber.maximum),
        ])
    func parses(text: String, value: Int) {
        #expect(parsed(text, DecimalNumber.parse) == value)
    }

    @Test(
        "Any other text is invalid",
        arguments: [
            "", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "nan", "inf", "\u{0}", "1\n", "٣",
            "1000000000", "2147483647", "4294967296", "9007199254740992", "9223372036854775807",
            "-9223372036854775808", "18446744073709551615", "12345678901234567890",
            String(repeating: "9", count: 65_536),
        ])
    func rejects(text: String) {
        #expect(parsed(text, DecimalNumber.parse) == nil)
    }
}
