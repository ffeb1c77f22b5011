internal import GRPCWire
internal import Messages
internal import Observability
internal import Testing
internal import Traces

@testable internal import Logs

@Suite struct CallLineTests {
    static func line(_ call: CallRecord, _ format: CallLine.Format = .json) -> String {
        var line = CallLine(format)
        var output: [UInt8] = []
        line.append(call, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// A record with a value in each field.
    static let full: CallRecord = {
        var call = CallRecord()
        call.endedAt = 1_764_453_722_000_123_456
        call.form = .connect
        (call.endpoint, call.backend, call.method) = (
            "greeter", "v2", "/helloworld.Greeter/SayHello"
        )
        call.isShadow = true
        call.replica = "10.0.0.1:50051"
        call.attempts = 2
        call.code = .unavailable
        call.message = "no \"route\""
        call.phases.queue = 1_500
        call.phases.upstream = 2_000_000
        call.phases.response = 999
        (call.requestBytes, call.responseBytes) = (7, 12)
        call.shardPoint = .max
        call.revision = 42
        call.trace = TraceContext(
            parent: Array("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".utf8).span)
        call.peer = "[::1]:50123"
        return call
    }()

    @Test("A JSON line has all fields")
    func json() {
        #expect(
            Self.line(Self.full) == """
                {"time":"2025-11-29T22:02:02.000123Z","status":"UNAVAILABLE","endpoint":"greeter",\
                "backend":"v2","replica":"10.0.0.1:50051","method":"/helloworld.Greeter/SayHello",\
                "protocol":"connect","attempts":2,"duration_ms":2.002,"queue_ms":0.001,\
                "upstream_ms":2.000,"response_ms":0.000,"request_bytes":7,"response_bytes":12,\
                "shard_point":"0xffffffffffffffff","revision":42,\
                "trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7",\
                "shadow":true,"client":"[::1]:50123","message":"no \\"route\\""}

                """)
    }

    @Test("A logfmt line has the same fields")
    func logfmt() {
        #expect(
            Self.line(Self.full, .logfmt) == """
                time=2025-11-29T22:02:02.000123Z status=UNAVAILABLE endpoint=greeter backend=v2 \
                replica=10.0.0.1:50051 method=/helloworld.Greeter/SayHello protocol=connect \
                attempts=2 duration_ms=2.002 queue_ms=0.001 upstream_ms=2.000 response_ms=0.000 \
                request_bytes=7 response_bytes=12 shard_point=0xffffffffffffffff revision=42 \
                trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 shadow=true \
                client=[::1]:50123 message="no \\"route\\""

                """)
    }

    @Test("Fields without a value are left out")
    func empty() {
        #expect(
            Self.line(CallRecord()) == """
                {"time":"1970-01-01T00:00:00.000000Z","status":"OK","method":"","protocol":"grpc",\
                "attempts":0,"duration_ms":0.000,"queue_ms":0.000,"upstream_ms":0.000,\
                "response_ms":0.000,"request_bytes":0,"response_bytes":0}

                """)
    }

    @Test(
        "External text stays in its field of one line",
        arguments: [
            "", "/a.B/c", "a b", "a=b", "\"", "\\", "\\n", "a\nb", "a\r\nb",
            "\u{0}\u{1b}[31m\u{7f}",
            "\u{85}\u{2028}\u{2029}\u{202e}\u{feff}", "é€😀", "\u{fffd}", "}{\"status\":\"OK\"",
            " time=x", "\t", String(repeating: "\"", count: 2_000), "e\u{301}",
        ], CallLine.Format.allCases)
    func hostile(_ text: String, _ format: CallLine.Format) throws {
        var call = Self.full
        call.method = text
        call.message = text
        let line = Self.line(call, format)
        #expect(line.hasSuffix("\n"))
        let isOneLine = !line.dropLast().unicodeScalars.contains { $0.isControl }
        #expect(isOneLine)
        #expect(line.utf8.count < 16_000)
        guard format == .json else { return }
        guard case .object(let members) = try JSONValue(parsing: line),
            case .string(let method)? = members.first(where: { $0.key == "method" })?.value
        else { return #expect(Bool(false), "not an object") }
        #expect(members.map(\.key).count == Set(members.map(\.key)).count)
        if text.utf8.count <= CallLine.maxTextBytes {
            #expect(method == text)
        } else {
            #expect(method.last == "…" && text.hasPrefix(method.dropLast()))
        }
    }

    @Test(
        "Times and durations at their bounds have a text",
        arguments: [0, 999, 1_000, UInt64.max])
    func bounds(_ time: UInt64) {
        var call = CallRecord()
        call.endedAt = time
        call.phases.queue = .max
        call.phases.upstream = .max
        call.requestBytes = .max
        let line = Self.line(call)
        #expect(line.contains("T") && line.contains("\"request_bytes\":18446744073709551615"))
    }
}
