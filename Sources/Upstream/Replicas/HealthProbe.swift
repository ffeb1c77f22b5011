internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import NIOCore
internal import Transport

/// One `grpc.health.v1.Health/Check` on a connection.
///
/// Invariant: every stored `var` is used only on the loop of the connection.
final class HealthProbe: ClientStreamOwner, @unchecked Sendable {
    private let done: @Sendable (String?) -> Void
    private var timer: Scheduled<Void>?
    private var deframer = Deframer(limit: 4 << 10)
    private var response: String? = "an empty response"
    private var isDone = false

    private init(_ done: @escaping @Sendable (String?) -> Void) { self.done = done }

    /// - Parameter done: receives the failure, or nil if the server serves or has no health
    ///   service.
    static func run(
        on connection: ClientConnection, _ options: BackendOptions,
        _ done: @escaping @Sendable (String?) -> Void
    ) {
        let probe = HealthProbe(done)
        let settings = options.health
        let authority = options.authority.isEmpty ? "weir" : options.authority
        let headers = HeaderBlock([
            ":method": "POST", ":scheme": "http", ":path": "/grpc.health.v1.Health/Check",
            ":authority": authority, "te": "trailers", "content-type": ContentType.grpc,
            "user-agent": "weir-health-check",
            "grpc-timeout": Timeout.format(
                nanoseconds: Int64(clamping: settings.timeout.nanoseconds)),
        ])
        let request = Grpc_Health_V1_HealthCheckRequest(service: settings.service)
        guard let bytes = try? request.serializedBytes(),
            let prefix = MessagePrefix(isCompressed: false, length: bytes.count),
            let stream = connection.open(HeaderParts(headers), owner: probe)
        else { return probe.end("the connection accepts no stream") }
        connection.write((prefix.bytes + bytes).rawSpan, to: stream)
        connection.finish(stream)
        probe.timer = connection.shared.eventLoop.scheduleTask(
            in: TimeAmount(settings.timeout)
        ) {
            connection.cancel(stream)
            probe.end("no response within \(settings.timeout)")
        }
    }

    func received(headers: HeaderBlock, endStream: Bool) {
        if let error = ResponseHead(headers).refusal("the server", in: headers) {
            return end("\(error)")
        }
        if endStream { received(trailers: headers) }
    }

    func received(body: RawSpan, endStream: Bool) {
        do {
            try deframer.receive(body) { _, payload in
                let reply = try Grpc_Health_V1_HealthCheckResponse(serializedBytes: payload)
                response =
                    reply.status == .serving
                    ? nil : "the status is \(Self.name(of: reply.status))"
            }
        } catch {
            response = "invalid response message"
        }
        if endStream { end("no grpc-status") }
    }

    private static func name(
        of status: Grpc_Health_V1_HealthCheckResponse.ServingStatus
    ) -> String {
        switch status {
        case .notServing: "NOT_SERVING"
        case .serviceUnknown: "SERVICE_UNKNOWN"
        default: "\(status.rawValue)"
        }
    }

    func received(trailers: HeaderBlock) {
        let head = ResponseHead(trailers)
        switch head.code {
        case .ok: end(response)
        case .unimplemented: end(nil)
        case let code?: end("\(RPCError(code, head.message(in: trailers)))")
        case nil: end("no grpc-status")
        }
    }

    func requestDrained() {}

    func failed(_ failure: StreamFailure) { end(failure.description) }

    private func end(_ failure: String?) {
        guard !isDone else { return }
        isDone = true
        timer?.cancel()
        timer = nil
        done(failure)
    }
}
