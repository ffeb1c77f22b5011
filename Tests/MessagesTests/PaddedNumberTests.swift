internal import Testing

@testable internal import Messages

@Suite struct PaddedNumberTests {
    @Test("A number is padded with zeros to the width, and a wider one is not cut")
    func pads() {
        #expect(7.padded(2) == "07" && 0.padded(4) == "0000" && 12_345.padded(2) == "12345")
        #expect(UInt64.max.padded(20) == "18446744073709551615")
        #expect(UInt64(0xab).padded(16, radix: 16) == "00000000000000ab")
    }
}
