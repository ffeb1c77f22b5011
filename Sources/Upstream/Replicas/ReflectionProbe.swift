internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import NIOCore
internal import Transport

/// One `ServerReflectionInfo` on a connection: v1, else v1alpha, whose messages are the same.
///
/// Invariant: every stored `var` is used only on the loop of the connection.
final class ReflectionProbe: ClientStreamOwner, @unchecked Sendable {
    enum Outcome {
        case schema(ReflectedSchema)
        case failed(String)
    }

    /// The time for all answers.
    private static let timeout = Duration.seconds(10)
    private static let services = ReflectionDialog.services

    private let connection: ClientConnection
    private let authority: String
    private let done: (Outcome) -> Void
    private var version = 0
    private var stream: HTTP2Stream?
    private var timer: Scheduled<Void>?
    private var deframer = Deframer(limit: ReflectionDialog.maximumBytes)
    private var dialog = ReflectionDialog()
    private var isDone = false

    private init(
        _ connection: ClientConnection, authority: String, _ done: @escaping (Outcome) -> Void
    ) {
        self.connection = connection
        self.authority = authority
        self.done = done
    }

    static func run(
        on connection: ClientConnection, _ options: BackendOptions,
        _ done: @escaping (Outcome) -> Void
    ) {
        let authority = options.authority.isEmpty ? "weir" : options.authority
        let probe = ReflectionProbe(connection, authority: authority, done)
        probe.timer = connection.shared.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
            probe.end(.failed("no complete answer within \(timeout)"))
        }
        probe.begin()
    }

    private func begin() {
        deframer.reset()
        dialog = ReflectionDialog()
        let headers = HeaderBlock([
            ":method": "POST", ":scheme": "http",
            ":path": "/\(Self.services[version])/ServerReflectionInfo", ":authority": authority,
            "te": "trailers", "content-type": ContentType.grpc, "user-agent": "weir-reflection",
            "grpc-timeout": Timeout.format(nanoseconds: Int64(clamping: Self.timeout.nanoseconds)),
        ])
        stream = connection.open(HeaderParts(headers), owner: self)
        guard stream != nil else { return end(.failed("the connection accepts no stream")) }
        ask([dialog.begin()])
    }

    private func ask(_ questions: [Grpc_Reflection_V1_ServerReflectionRequest]) {
        guard let stream else { return }
        for question in questions {
            guard let bytes = try? question.serializedBytes(),
                let prefix = MessagePrefix(isCompressed: false, length: bytes.count)
            else { continue }
            connection.write((prefix.bytes + bytes).rawSpan, to: stream)
        }
    }

    func received(headers: HeaderBlock, endStream: Bool) {
        if let error = ResponseHead(headers).refusal("the server", in: headers) {
            return end(.failed("\(error)"))
        }
        if endStream { received(trailers: headers) }
    }

    func received(body: RawSpan, endStream: Bool) {
        do {
            try deframer.receive(body) { _, payload in
                ask(
                    try dialog.receive(
                        Grpc_Reflection_V1_ServerReflectionResponse(serializedBytes: payload)))
            }
        } catch {
            return end(.failed("invalid answer: \(error)"))
        }
        if dialog.isDone {
            end(.schema(ReflectedSchema(descriptorSet: dialog.descriptorSet)))
        } else if endStream {
            end(.failed("no grpc-status"))
        }
    }

    func received(trailers: HeaderBlock) {
        stream = nil
        let head = ResponseHead(trailers)
        if head.code == .unimplemented, version + 1 < Self.services.count {
            version += 1
            return begin()
        }
        let code = head.code ?? .unknown
        end(.failed("reflection ended with \(RPCError(code, head.message(in: trailers)))"))
    }

    func requestDrained() {}

    func failed(_ failure: StreamFailure) {
        stream = nil
        end(.failed(failure.description))
    }

    private func end(_ outcome: Outcome) {
        guard !isDone else { return }
        isDone = true
        timer?.cancel()
        timer = nil
        if let stream { connection.cancel(stream) }
        stream = nil
        done(outcome)
    }
}
