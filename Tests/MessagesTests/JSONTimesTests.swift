internal import Foundation
internal import Messages
internal import Testing

/// Timestamps and durations with arbitrary numbers.
@Suite struct JSONTimesTests {
    private typealias Timestamp = Google_Protobuf_Timestamp
    private typealias Duration = Google_Protobuf_Duration

    private static let seconds: [Int64] = [
        0, 1, -1, 59, 60, 86_399, 86_400, -86_400, -62_135_596_801, -62_135_596_800,
        253_402_300_799, 253_402_300_800, 315_576_000_000, 315_576_000_001, -315_576_000_000,
        -315_576_000_001, 1_575_237_813_000, 1 << 31, 1 << 32, 1 << 53, .max, .min, .max - 1,
        .min + 1,
    ]
    private static let nanos: [Int32] = [
        0, 1, -1, 500, 1_000, 500_000_000, 999_999_999, -999_999_999, 1_000_000_000,
        -1_000_000_000, 1_500_000_000, .max, .min,
    ]

    private static var pairs: [(seconds: Int64, nanos: Int32)] {
        seconds.flatMap { second in nanos.map { (second, $0) } }
    }

    private static func transcoder() throws -> JSONTranscoder {
        var schema = Schema()
        try schema.add(Weir_Test_EverythingProto.file)
        try schema.add(WeirProtobuf_DurationProto.file)
        return JSONTranscoder(schema: schema)
    }

    @Test("A timestamp formats to a text that parses to the same value, or is out of range")
    func writesTimestamps() throws {
        let transcoder = try Self.transcoder()
        for (seconds, nanos) in Self.pairs {
            let time = Timestamp(seconds: seconds, nanos: nanos)
            let isValid =
                (-62_135_596_800...253_402_300_799).contains(seconds)
                && (0...999_999_999).contains(nanos)
            #expect(time.isValid == isValid)
            #expect((time.text != nil) == isValid)
            if let text = time.text { #expect(Timestamp(text: text) == time, "\(text)") }
            let bytes = try Weir_Test_Everything(time: time).serializedBytes()
            do throws(MessageError) {
                let json = try transcoder.json(from: bytes, message: "weir.test.Everything")
                #expect(isValid)
                #expect(try transcoder.bytes(from: json, message: "weir.test.Everything") == bytes)
            } catch {
                #expect(!isValid)
                #expect(
                    error.description.hasPrefix(
                        "field time is invalid: Timestamp is out of range with seconds \(seconds), "
                            + "nanos \(nanos): seconds must be from -62135596800"))
            }
        }
    }

    @Test("A duration formats to a text that parses to the same value, or is out of range")
    func writesDurations() throws {
        let transcoder = try Self.transcoder()
        for (seconds, nanos) in Self.pairs {
            let span = Duration(seconds: seconds, nanos: nanos)
            let isValid =
                seconds.magnitude <= 315_576_000_000 && nanos.magnitude <= 999_999_999
                && seconds.signum() * Int64(nanos.signum()) >= 0
            #expect(span.isValid == isValid)
            #expect((span.text != nil) == isValid)
            if let text = span.text { #expect(Duration(text: text) == span, "\(text)") }
            let json = try? transcoder.json(
                from: try span.serializedBytes(), message: "google.protobuf.Duration")
            #expect((json != nil) == isValid)
        }
    }

    @Test("Messages with out-of-range times are compared, and the difference describes them")
    func comparesTimes() throws {
        var schema = Schema()
        try schema.add(Weir_Test_EverythingProto.file)
        for (seconds, nanos) in Self.pairs {
            let time = Timestamp(seconds: seconds, nanos: nanos)
            var diff = MessageDiff(schema: schema)
            try diff.compare(
                try Weir_Test_Everything(time: time).serializedBytes(),
                try Weir_Test_Everything(time: .init(seconds: 1, nanos: 6)).serializedBytes(),
                message: "weir.test.Everything")
            let text = time.text ?? "invalid Timestamp: seconds \(seconds), nanos \(nanos)"
            #expect(
                diff.differences == [
                    .init(
                        path: "time", place: "time", left: "\"\(text)\"",
                        right: #""1970-01-01T00:00:01.000000006Z""#)
                ])
            var same = MessageDiff(schema: schema)
            let bytes = try Weir_Test_Everything(time: time).serializedBytes()
            try same.compare(bytes, [0xf0, 0x02, 0] + bytes, message: "weir.test.Everything")
            #expect(same.differences.allSatisfy { $0.path != "time" })
        }
    }

    @Test("Every day of the years 1 to 9999 formats as in Foundation")
    func agreesWithFoundation() {
        // Steps of a little more than 9 hours, so that all times of the day occur.
        let last: Int64 = 253_402_300_799
        for seconds in stride(from: -62_135_596_800, through: last, by: 8_000_077) {
            let time = Timestamp(seconds: seconds)
            #expect(time.text.flatMap { Timestamp(text: $0) } == time)
            // Before the Gregorian calendar, Foundation uses the Julian one.
            guard seconds > -12_000_000_000 else { continue }
            let date = Date(timeIntervalSince1970: Double(seconds))
            #expect(time.text == date.formatted(.iso8601))
        }
    }

    @Test(
        "A time of RFC 3339 is parsed",
        arguments: [
            ("2026-01-31T12:00:00Z", 1_769_860_800, 0), ("1970-01-01T00:00:00.5Z", 0, 500_000_000),
            ("1969-12-31T23:59:59.999999999Z", -1, 999_999_999),
            ("2000-02-29T00:00:00+01:30", 951_777_000, 0),
            ("1999-12-31T23:00:00-01:00", 946_684_800, 0),
            ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
            ("9999-12-31T23:59:59.9Z", 253_402_300_799, 900_000_000),
        ] as [(String, Int64, Int32)])
    func readsTimestamps(text: String, seconds: Int64, nanos: Int32) {
        #expect(Timestamp(text: text) == Timestamp(seconds: seconds, nanos: nanos))
    }

    @Test(
        "Text that is not a time of the years 1 to 9999 is rejected",
        arguments: [
            "", "Z", "2026", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31 12:00:00Z",
            "2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-00-01T00:00:00Z",
            "2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",
            "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z", "2026-01-01T00:00:00ZZ",
            "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60",
            "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
            "10000-01-01T00:00:00Z", "999999999999999999999-01-01T00:00:00Z",
            "-001-01-01T00:00:00Z", "２０２６-01-01T00:00:00Z", "2026-01-01T00:00:00.½Z",
            "1e300", "NaN", "2026-01-01T00:00:00Z\0",
        ])
    func rejectsTimestamps(text: String) throws {
        #expect(Timestamp(text: text) == nil)
        #expect(throws: MessageError.self) {
            try Self.transcoder().bytes(
                from: .object([("time", .string(text))]), message: "weir.test.Everything")
        }
    }

    @Test(
        "A duration is a number of seconds with the suffix s",
        arguments: [
            ("0s", 0, 0), ("-0s", 0, 0), ("1.5s", 1, 500_000_000), ("-1.5s", -1, -500_000_000),
            ("-0.000000001s", 0, -1), ("315576000000.999999999s", 315_576_000_000, 999_999_999),
            ("007s", 7, 0),
        ] as [(String, Int64, Int32)])
    func readsDurations(text: String, seconds: Int64, nanos: Int32) {
        #expect(Duration(text: text) == Duration(seconds: seconds, nanos: nanos))
    }

    @Test(
        "Text that is not a duration within 10,000 years is rejected",
        arguments: [
            "", "s", "1", "-s", ".5s", "1.s", "1.1234567890s", "--1s", "+1s", "1 s", "1ss", "1e3s",
            "315576000001s", "-315576000001s", "9223372036854775807s", "9223372036854775808s",
            "-9223372036854775808s", "99999999999999999999s", "NaNs", "Infinitys", "0x1s", "½s",
            "1.½s", "１s", "1s\n",
        ])
    func rejectsDurations(text: String) {
        #expect(Duration(text: text) == nil)
    }
}
