package import GRPCWire
package import Messages

/// Converts the response of a call to an HTTP response, message by message.
///
/// ```
///   one reply:  message ... OK  --> 200, JSON of the message
///   a stream:   message         --> 200 and the message's JSON
///               message ...     --> the message's JSON
///               OK              --> the end of the array
///               failure         --> {"error": ...}
///   both:       failure first   --> the HTTP status of the code, google.rpc.Status
/// ```
package struct TranscodedReply {
    /// What to send.
    package struct Output: Equatable {
        /// The code and the content type of a response that begins.
        package var head: Head?
        package var body: [UInt8] = []
        package var ending = Ending.open
    }

    package struct Head: Equatable {
        /// Determines the HTTP status.
        package let code: StatusCode
        package let contentType: String
    }

    package enum Ending: Equatable {
        case open
        /// The response is complete.
        case complete
        /// The response is incomplete and cannot contain the reason.
        case broken
    }

    private enum Phase {
        case waiting
        /// The only message of a call with one reply.
        case holding([UInt8])
        case streaming
        case ended
    }

    private let rule: TranscodedRule
    private let schema: Schema
    private let conversion: ReplyConversion
    private let form: StreamForm
    private var phase = Phase.waiting
    /// Why the response has failed; nil for one that has not.
    package private(set) var failure: RPCError?

    package init(_ rule: TranscodedRule, _ schema: Schema, _ form: StreamForm) {
        self.rule = rule
        self.schema = schema
        self.form = form
        conversion = ReplyConversion(rule, schema)
    }

    /// Bytes of a message that waits for the status.
    package var heldBytes: Int {
        if case .holding(let message) = phase { message.count } else { 0 }
    }

    /// A message of the response. An error ends the call; `ended` gets it.
    package mutating func received(_ message: [UInt8]) throws(RPCError) -> Output {
        switch phase {
        case .ended: return Output()
        case .holding: throw RPCError(.internalError, "the backend sent more than one message")
        case .waiting where !rule.method.serverStreams:
            phase = .holding(message)
            return Output()
        case .waiting: return try stream(message, isFirst: true)
        case .streaming: return try stream(message, isFirst: false)
        }
    }

    private mutating func stream(
        _ message: [UInt8], isFirst: Bool
    ) throws(RPCError) -> Output {
        do throws(MessageError) {
            var output = Output()
            if rule.isRawResponse {
                let raw = try conversion.raw(of: message)
                if isFirst { output.head = head(of: raw) }
                output.body = Array(raw.data)
            } else {
                if isFirst { output.head = Head(code: .ok, contentType: form.contentType) }
                output.body = form.frame(
                    try conversion.json(of: message).utf8(), isFirst: isFirst)
            }
            phase = .streaming
            return output
        } catch {
            throw RPCError(.internalError, Self.unusable(error))
        }
    }

    private func head(of raw: ReplyConversion.Raw) -> Head {
        let type = raw.contentType.isEmpty ? "application/octet-stream" : raw.contentType
        return Head(code: .ok, contentType: type)
    }

    private static func unusable(_ error: MessageError) -> String {
        "the backend's response cannot be converted to JSON: \(error)"
    }

    /// The status of the call.
    ///
    /// - Parameter details: `grpc-status-details-bin`; nil without it.
    package mutating func ended(
        _ code: StatusCode, _ message: String, details: [UInt8]? = nil
    ) -> Output {
        if case .ended = phase { return Output() }
        guard code == .ok else { return fail(code, message, details: details) }
        switch phase {
        case .holding(let message): return complete(message)
        case .waiting where rule.method.serverStreams:
            phase = .ended
            let type = rule.isRawResponse ? "application/octet-stream" : form.contentType
            return Output(
                head: Head(code: .ok, contentType: type),
                body: rule.isRawResponse ? [] : form.end(isEmpty: true), ending: .complete)
        case .streaming:
            phase = .ended
            return Output(
                body: rule.isRawResponse ? [] : form.end(isEmpty: false), ending: .complete)
        case .waiting, .ended:
            return fail(.internalError, "the backend sent no message")
        }
    }

    private mutating func complete(_ message: [UInt8]) -> Output {
        do throws(MessageError) {
            if rule.isRawResponse {
                let raw = try conversion.raw(of: message)
                phase = .ended
                return Output(head: head(of: raw), body: Array(raw.data), ending: .complete)
            }
            let body = try conversion.json(of: message).utf8() + [UInt8(ascii: "\n")]
            phase = .ended
            return Output(
                head: Head(code: .ok, contentType: "application/json"), body: body,
                ending: .complete)
        } catch {
            return fail(.internalError, Self.unusable(error))
        }
    }

    private mutating func fail(
        _ code: StatusCode, _ message: String, details: [UInt8]? = nil
    ) -> Output {
        failure = RPCError(code, message)
        let status = StatusJSON.json(code, message, details: details, schema: schema)
        defer { phase = .ended }
        guard case .streaming = phase else { return Self.failure(code, status) }
        guard !rule.isRawResponse else { return Output(ending: .broken) }
        return Output(
            body: form.frame(StatusJSON.last(status).utf8(), isFirst: false)
                + form.end(isEmpty: false), ending: .complete)
    }

    /// A whole response with a failure, also of a request without a binding.
    package static func failure(_ code: StatusCode, _ status: JSONValue) -> Output {
        Output(
            head: Head(code: code, contentType: "application/json"),
            body: status.utf8() + [UInt8(ascii: "\n")], ending: .complete)
    }
}
