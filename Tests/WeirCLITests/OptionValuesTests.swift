internal import ArgumentParser
internal import Messages
internal import Testing

@testable internal import WeirCLI

@Suite struct OptionValuesTests {
    /// Texts that every option for a number rejects, independently of its range.
    static let notNumbers = [
        "", " ", " 1", "1 ", "1,5", "1/3", "90%", "one", "\u{7f}", "1\n", "--1", "1_000", "½", "١",
        String(repeating: "x", count: 65_536),
    ]

    @Test("A whole number is accepted only within its range")
    func whole() throws {
        let parse = Bounded.whole(1...Int32.max)
        #expect(try parse("1") == 1)
        #expect(try parse("2147483647") == .max)
        #expect(try parse("+7") == 7)
        for text in Self.notNumbers + [
            "0", "-1", "2147483648", "2147483649", "4294967296", "9223372036854775807", "1.0",
            "1e3",
            "-9223372036854775808", "18446744073709551615", "99999999999999999999", "nan", "inf",
            "0x1", String(repeating: "9", count: 65_536),
        ] {
            #expect(throws: ValidationError.self, "\(text.prefix(30))") { try parse(text) }
        }
        let all = Bounded.whole(0...UInt64.max)
        #expect(try all("18446744073709551615") == .max)
        #expect(throws: ValidationError.self) { try all("18446744073709551616") }
        #expect(throws: ValidationError.self) { try all("-1") }
    }

    @Test("A decimal number is accepted only within its range, and infinities and NaN are rejected")
    func decimal() throws {
        let parse = Bounded.decimal(0.001...604_800)
        #expect(try parse("0.001") == 0.001)
        #expect(try parse("604800") == 604_800)
        #expect(try parse("1e3") == 1_000)
        for text in Self.notNumbers + [
            "0", "-0", "-1", "604800.1", "1e300", "1e-300", "1e999", "-1e999", "nan", "NaN", "inf",
            "-inf", "infinity", "1e-999", "0x10", "0X1p3", String(repeating: "9", count: 65_536),
        ] {
            #expect(throws: ValidationError.self, "\(text.prefix(30))") { try parse(text) }
        }
    }

    @Test("The error names the range")
    func errors() {
        func message(_ body: () throws -> Void) -> String {
            do { try body() } catch { return "\(error)" }
            return ""
        }
        #expect(
            message { _ = try Bounded.whole(1...1_024)("0") }
                .contains("use a whole number from 1 to 1024"))
        #expect(
            message { _ = try Bounded.decimal(0.1...60)("inf") }
                .contains("use a number from 0.1 to 60"))
        #expect(
            message { _ = try Assignment.parse("v1=0,5") }.contains("invalid number '0,5'"))
    }

    @Test("A backend's number follows the last equals sign")
    func assignments() throws {
        #expect(try Assignment.parse("v1=90%").value == 0.9)
        #expect(try Assignment.parse("v1=1/3").value == 1.0 / 3)
        let assignment = try Assignment.parse("a=b=0.5")
        #expect(assignment.backend == "a=b")
        #expect(assignment.value == 0.5)
        for text in [
            "", "a", "=1", "a=", "a=nan", "a=inf", "a=-inf", "a=1e999", "a=0,5", "a= 1", "a=0x1",
        ] {
            #expect(throws: ValidationError.self, "\(text)") { try Assignment.parse(text) }
        }
    }

    @Test(
        "A share is a number, a percentage or a fraction",
        arguments: [
            ("0", 0), ("1", 1), ("0.25", 0.25), (".5", 0.5), ("1e-3", 0.001), ("90%", 0.9),
            ("0.5%", 0.005), ("1/3", 1.0 / 3), ("2/8", 0.25), ("0/1", 0), ("-1/2", -0.5),
        ] as [(String, Double)])
    func shares(text: String, share: Double) throws {
        #expect(abs(try Bounded.share(text) - share) < 1e-15)
    }

    @Test(
        "A text that is not a share is an error that names the forms",
        arguments: [
            "", "%", "/", "1/", "/3", "1/0", "0/0", "1/2/3", "90%%", "1/3%", "nan", "inf%", "1e999",
            "1/nan", "0x1/2", "1 / 3", "½",
        ])
    func notShares(text: String) {
        #expect {
            _ = try Bounded.share(text)
        } throws: { error in
            "\(error)".contains("a fraction such as 1/3")
        }
    }

    @Test(
        "A Duration is written in the form of protobuf's JSON",
        arguments: [
            (0, "0.000000000s"), (90, "90.000000000s"), (0.5, "0.500000000s"),
            (-1.5, "-1.500000000s"), (1e300, "315576000000.000000000s"),
        ] as [(Double, String)])
    func durations(seconds: Double, text: String) {
        #expect(Google_Protobuf_Duration(seconds: seconds).jsonText == text)
    }

    @Test("A tolerance is an amount or a percentage")
    func tolerances() throws {
        #expect(try Weir_Admin_V1_FieldTolerance.parse("a.b=0.5").absolute == 0.5)
        #expect(try Weir_Admin_V1_FieldTolerance.parse("a.b=1%").relative == 0.01)
        for text in ["", "a", "=1", "a=", "a=%", "a=nan", "a=nan%", "a=inf%", "a=1e999"] {
            #expect(throws: ValidationError.self, "\(text)") {
                try Weir_Admin_V1_FieldTolerance.parse(text)
            }
        }
    }

    @Test(
        "Seconds become a Duration without a trap",
        arguments: [
            (0, 0, 0), (1.5, 1, 500_000_000), (-1.5, -1, -500_000_000),
            (1e300, 315_576_000_000, 0), (-1e300, -315_576_000_000, 0),
            (.infinity, 315_576_000_000, 0), (.nan, 315_576_000_000, 0), (1e-300, 0, 0),
        ] as [(Double, Int64, Int32)])
    func durations(seconds: Double, whole: Int64, nanos: Int32) {
        let duration = Google_Protobuf_Duration(seconds: seconds)
        #expect(duration.seconds == whole)
        #expect(duration.nanos == nanos)
    }

    @Test("An error quotes arguments escaped and cut")
    func usageErrors() {
        let long = String(repeating: "9", count: 65_536)
        let arguments = ["weir", "--a=\u{1b}[2J", "b\nc", long]
        let error = "The value '\u{1b}[2J' is invalid\nUnexpected 'b\nc' and '\(long)'\nUsage"
        let text = UsageError.text(error, arguments).text
        let cut = String(repeating: "9", count: UsageError.maxArgumentBytes - 3) + "…"
        #expect(
            text == "The value '\\u{1B}[2J' is invalid\nUnexpected 'b\\nc' and '\(cut)'\nUsage")
    }

    @Test(
        "A duration is a decimal number with a unit",
        arguments: [
            ("500ms", 0.5), ("90s", 90), ("1.5m", 90), ("2h", 7_200), ("1d", 86_400), ("0s", 0),
            ("3ms", 0.003),
        ])
    func durations(text: String, seconds: Double) throws {
        let duration = try Bounded.duration(text)
        #expect(abs(Double(duration.seconds) + Double(duration.nanos) / 1e9 - seconds) < 1e-8)
    }

    @Test(
        "Other durations are rejected",
        arguments: [
            "", "5", "m", "-1m", "1e3s", "nanm", "infs", "0x1s", " 1s", "1 s", "1s ", "1w", "1,5m",
            "١m", "1..5m", String(repeating: "9", count: 33) + "s",
        ])
    func invalidDurations(text: String) {
        #expect(throws: ValidationError.self) { _ = try Bounded.duration(text) }
    }

    @Test(
        "A freeze ends at a time of the calendar",
        arguments: [
            ("2026-12-24T08:00:00Z", 1_798_099_200), ("2028-02-29T00:00:00Z", 1_835_395_200),
            ("2026-12-24T09:00:00+01:00", 1_798_099_200),
        ])
    func freezeTimes(text: String, seconds: Int64) throws {
        #expect(try FreezeCommand.time(text).seconds == seconds)
    }

    @Test(
        "Times that no calendar or clock has are rejected",
        arguments: [
            "2026-04-31T08:00:00Z", "2026-02-29T08:00:00Z", "2026-13-01T08:00:00Z",
            "2026-00-10T08:00:00Z", "2026-12-24T25:61:00Z", "2026-12-24T24:00:00Z",
            "2026-12-24T08:60:00Z", "2026-12-24", "08:00", "tomorrow", "", "2026-12-24T08:00:00",
            "2026-12-24T08:00:00+99:00",
        ])
    func invalidFreezeTimes(text: String) {
        #expect(throws: ValidationError.self) { _ = try FreezeCommand.time(text) }
    }
}
