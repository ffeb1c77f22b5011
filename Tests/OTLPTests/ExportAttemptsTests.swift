internal import GRPCWire
internal import Messages
internal import Testing

@testable internal import OTLP

@Suite struct ExportAttemptsTests {
    private func next(
        _ code: StatusCode, retryDelay: Duration? = nil, random: Double = 1
    ) -> ExportAttempts.Next {
        var attempts = ExportAttempts()
        return attempts.ended(
            .failed(code, reason: "why", retryDelay: retryDelay), random: random)
    }

    @Test("Statuses of OTLP's list are retried, others are not", arguments: 1...17)
    func statuses(number: Int) {
        let code = StatusCode(rawValue: number)
        let retried = [1, 4, 10, 11, 14, 15].contains(number)
        #expect(
            next(code)
                == (retried ? .retry(after: .seconds(1), reason: "why") : .failed(reason: "why")))
    }

    @Test("RESOURCE_EXHAUSTED is retried only with the collector's delay, which can only lengthen")
    func exhausted() {
        #expect(next(.resourceExhausted) == .failed(reason: "why"))
        for (asked, used) in [
            (Duration.zero, Duration.seconds(1)), (.milliseconds(999), .seconds(1)),
            (.milliseconds(1_001), .milliseconds(1_001)), (.seconds(-1), .seconds(1)),
            (.seconds(60), .seconds(60)), (.seconds(61), .seconds(60)),
            (.seconds(Int64.max), .seconds(60)), (.seconds(Int64.min), .seconds(1)),
        ] {
            for code in [StatusCode.resourceExhausted, .unavailable] {
                #expect(next(code, retryDelay: asked) == .retry(after: used, reason: "why"))
            }
            #expect(next(.internalError, retryDelay: asked) == .failed(reason: "why"))
        }
    }

    @Test("The delay doubles, with a random part, until the last attempt")
    func delays() {
        var (least, most) = (ExportAttempts(), ExportAttempts())
        for seconds in [1, 2, 4, 8] {
            let answer = ExportAnswer.failed(.unavailable, reason: "why", retryDelay: nil)
            #expect(
                least.ended(answer, random: -1)
                    == .retry(after: .seconds(seconds) / 2, reason: "why"))
            #expect(
                most.ended(answer, random: .nan) == .retry(after: .seconds(seconds), reason: "why"))
        }
        #expect(
            most.ended(.failed(.unavailable, reason: "why", retryDelay: .zero), random: 0)
                == .failed(reason: "why (5 attempts)"))
    }

    @Test("A partial success is not retried", arguments: [0, 1, UInt64.max])
    func partial(rejected: UInt64) {
        var attempts = ExportAttempts()
        #expect(
            attempts.ended(.accepted(rejected: rejected, message: "m"), random: 0)
                == .delivered(rejected: rejected, message: "m"))
    }

    @Test(
        "The counts of a response are bounded",
        arguments: [(nil, 0), (0, 0), (7, 7), (-1, 0), (Int64.max, UInt64(Int64.max))]
            as [(Int64?, UInt64)])
    func responses(rejected: Int64?, expected: UInt64) {
        let response = Otlp_ExportResponse(
            partialSuccess: rejected.map { .init(rejected: $0, errorMessage: "m") })
        #expect(
            ExportAnswer(response)
                == .accepted(rejected: expected, message: rejected == nil ? "" : "m"))
    }

    private static func status(_ url: String, _ value: [UInt8]) -> [UInt8] {
        let status = Google_Rpc_Status(details: [
            WeirProtobuf_Any(typeUrl: "type.googleapis.com/google.rpc.Other", value: [1]),
            WeirProtobuf_Any(typeUrl: url, value: value),
        ])
        var bytes: [UInt8] = []
        status.serialize(appendingTo: &bytes)
        return bytes
    }

    private static func info(_ seconds: Int64, _ nanos: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        Google_Rpc_RetryInfo(retryDelay: .init(seconds: seconds, nanos: nanos))
            .serialize(appendingTo: &bytes)
        return bytes
    }

    private static let retryInfo = "type.googleapis.com/google.rpc.RetryInfo"

    @Test(
        "The delay is read from the status details",
        arguments: [
            (status(retryInfo, info(2, 500_000_000)), .milliseconds(2_500)),
            (
                status(retryInfo, info(Int64.max, Int32.max)),
                .seconds(Int64.max) + .nanoseconds(Int32.max)
            ),
            (
                status(retryInfo, info(Int64.min, Int32.min)),
                .seconds(Int64.min) - .nanoseconds(1 << 31)
            ),
            // Without `retry_delay`, with other details, and with invalid bytes.
            (status(retryInfo, []), nil),
            (status("type.googleapis.com/google.rpc.RetryInfo2", info(1, 0)), nil),
            (status("RetryInfo", info(1, 0)), nil), (status(retryInfo, [0xff]), nil),
            ([0xff, 0xff], nil), ([], nil),
        ] as [([UInt8], Duration?)])
    func details(bytes: [UInt8], delay: Duration?) {
        var metadata = Metadata()
        metadata.add("grpc-status-details-bin", bytes: bytes)
        let error = RPCError(.unavailable, "m", metadata: metadata)
        #expect(
            ExportAnswer(error)
                == .failed(.unavailable, reason: "UNAVAILABLE: m", retryDelay: delay))
    }
}
