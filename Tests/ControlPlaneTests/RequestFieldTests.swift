internal import FoundationEssentials
internal import GRPCWire
internal import Messages
internal import Testing

@testable internal import ControlPlane

@Suite struct RequestFieldTests {
    private static let field = RequestField("a.field")

    /// Checks that a field is accepted, or rejected with an error that names it.
    private func check(
        isValid: Bool, _ body: () throws(ControlError) -> Void
    ) {
        do throws(ControlError) {
            try body()
            #expect(isValid)
        } catch {
            #expect(!isValid, "\(error.message)")
            #expect(error.code == .invalidArgument && error.field == "a.field")
        }
    }

    @Test(
        "A duration is at most a week, and a valid protobuf duration",
        arguments: [
            (0, 1_000_000, true), (604_800, 0, true), (1, 999_999_999, true), (0, 0, false),
            (0, 999_999, false),
            (604_800, 1, false), (604_801, 0, false), (1, 1_000_000_000, false), (1, -1, false),
            (-1, 1, false),
            (-1, 0, false), (0, -1, false), (.max, 0, false), (.min, 0, false), (.max, .max, false),
            (.min, .min, false), (1, .max, false), (0, .max, false), (0, .min, false),
        ] as [(Int64, Int32, Bool)])
    func acceptsDurations(seconds: Int64, nanos: Int32, isValid: Bool) {
        var value = Duration.seconds(7)
        check(isValid: isValid) { () throws(ControlError) in
            try Self.field.set(&value, .init(seconds: seconds, nanos: nanos))
        }
        #expect((value == .seconds(7)) == !isValid)
    }

    @Test("Zero is a valid duration where it has a meaning")
    func acceptsZero() throws {
        var value = Duration.seconds(7)
        try Self.field.set(&value, .init(), orZero: true)
        #expect(value == .zero)
    }

    @Test(
        "A number outside its range is rejected",
        arguments: [
            (0.0, true), (1, true), (0.5, true), (-0.0, true), (.leastNonzeroMagnitude, true),
            (-1, false),
            (1.000_1, false),
            (.nan, false), (.infinity, false), (-.infinity, false), (1e300, false),
            (-.leastNonzeroMagnitude, false),
        ])
    func acceptsNumbers(number: Double, isValid: Bool) {
        check(isValid: isValid) { () throws(ControlError) in
            var value = 0.25
            try Self.field.set(&value, number, 0...1)
        }
    }

    @Test(
        "A count outside its range is rejected",
        arguments: [(1, true), (100, true), (0, false), (101, false), (.max, false)]
            as [(UInt64, Bool)])
    func acceptsCounts(count: UInt64, isValid: Bool) {
        check(isValid: isValid) { () throws(ControlError) in
            var value = 1
            try Self.field.set(&value, count, 1...100)
        }
    }

    @Test(
        "Text is bounded and has no control characters, except line ends where they are allowed",
        arguments: [
            ("", true, true), ("because", true, true), ("äääää", true, true),
            ("ääääää", false, false),
            ("0123456789", true, true), ("0123456789a", false, false), ("a\nb\tc", false, true),
            ("a\rb", false, false), ("\u{1b}[2J", false, false), ("\u{7f}", false, false),
            ("\u{85}", false, false), ("\u{202e}", false, false),
            // One character with many scalars.
            ("e" + String(repeating: "\u{301}", count: 5), false, false),
        ])
    func acceptsText(text: String, asLine: Bool, asLines: Bool) {
        check(isValid: asLine) { () throws(ControlError) in
            try Self.field.check(text, maxBytes: 10)
        }
        check(isValid: asLines) { () throws(ControlError) in
            try Self.field.check(text, maxBytes: 10, allowsLines: true)
        }
    }

    @Test("An error is short and printable, whatever text it quotes")
    func limitsErrors() {
        let long = String(repeating: "x\u{1b}", count: 50_000)
        let names = (0..<10_000).map { "endpoint-\($0)" }
        for error in [
            ControlError.invalid(long, long), .notFound(.backend, long, known: names, field: long),
            .alreadyExists(long, field: long), .inUse(backend: long, endpoints: names),
            .noRoute(long),
            .unrestorable(1, names), .unavailable(long, long),
            .invalid("a", long).moved(from: "a", to: long),
        ] {
            let sent = error.rpcError
            #expect(sent.message.utf8.count <= 1_100)
            #expect(!sent.message.unicodeScalars.contains { $0.isControl })
            let headers = sent.metadata.bytes("grpc-status-details-bin").reduce(0) {
                $0 + $1.count * 4 / 3
            }
            #expect(headers + StatusMessage.encode(sent.message).utf8.count < 8_000)
        }
    }

    @Test(
        "A time out of a timestamp's range is clamped",
        arguments: [
            (0, 0, 0), (1.5, 1, 500_000_000), (-0.25, -1, 750_000_000), (-1, -1, 0),
            (1e300, 253_402_300_799, 0), (-1e300, -62_135_596_800, 0),
            (.infinity, 253_402_300_799, 0),
            (.nan, 0, 0), (9.3e18, 253_402_300_799, 0),
        ] as [(Double, Int64, Int32)])
    func limitsTimes(time: Double, seconds: Int64, nanos: Int32) {
        let timestamp = Google_Protobuf_Timestamp(Date(timeIntervalSince1970: time))
        #expect(timestamp.seconds == seconds && timestamp.nanos == nanos)
    }
}
