internal import GRPCWire
internal import Messages
internal import Observability
internal import Serving
internal import Traces

@testable internal import ControlPlane
@testable internal import Logs

/// Calls with external text in their records.
enum CallsFuzz {
    /// The input is a text of a call, and a request for a tap.
    static func feed(_ bytes: [UInt8]) {
        let text = CallRecord.kept(String(decoding: bytes, as: UTF8.self))
        var call = CallRecord()
        (call.endpoint, call.backend, call.replica) = (text, text, text)
        (call.method, call.message, call.peer) = (text, text, text)
        call.code = StatusCode(rawValue: Int(bytes.first ?? 0))
        call.endedAt = bytes.reduce(0) { $0 &* 257 &+ UInt64($1) }
        call.phases.queue = call.endedAt
        call.shardPoint = call.phases.queue
        check(call)
        if let request = try? Weir_Admin_V1_TapRequest(serializedBytes: bytes),
            let options = try? CallTapStream.Options(request, ControlPlane.View())
        {
            precondition((1...10_000).contains(options.callsPerSecond))
            precondition(options.share > 0 && options.share <= 1)
            precondition(options.filter.backends.count <= 64)
            _ = options.filter.accepts(call)
        }
        _ = try? TraceID(request: text)
    }

    /// A line has one line end, and the values of the call.
    private static func check(_ call: CallRecord) {
        for format in CallLine.Format.allCases {
            var line = CallLine(format)
            var output: [UInt8] = []
            line.append(call, to: &output)
            precondition(output.last == UInt8(ascii: "\n"))
            let content = String(decoding: output.dropLast(), as: UTF8.self)
            precondition(!content.unicodeScalars.contains(where: \.isControl))
            guard format == .json else { continue }
            guard case .object(let members)? = try? JSONValue(parsing: content) else {
                preconditionFailure("the line is not an object")
            }
            for case ("message", .string(let message)) in members {
                precondition(Array(message.utf8) == Array(call.message.utf8))
            }
        }
    }
}
