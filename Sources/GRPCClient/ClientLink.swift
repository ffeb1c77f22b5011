internal import GRPCWire
internal import HTTP2Session
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import Transport

/// One connection of a `WeirClient`, from the attempt to connect to its end.
///
/// ```
///   connecting --SETTINGS--> open <--> full (as many calls as the server allows)
///        '--- refused ---------'--- lost, GOAWAY ---> over
/// ```
///
/// Invariant of `@unchecked Sendable`: the connection is used only on its loop, and a lock protects
/// the other state.
final class ClientLink: ClientConnectionOwner, @unchecked Sendable {
    private enum Phase {
        case connecting([CheckedContinuation<Void, any Error>])
        case open(isFull: Bool)
        case over(RPCError)
    }

    private let phase = Mutex(Phase.connecting([]))
    private let shared: ConnectionLoop
    private var connection: ClientConnection?

    /// Begins to connect.
    init(to address: Address, _ options: ClientConnection.Options) {
        shared = ConnectionLoop(MultiThreadedEventLoopGroup.singleton.next())
        shared.eventLoop.execute {
            self.connection = .connect(
                to: .host(address.host, port: address.port), on: self.shared, options, owner: self)
        }
    }

    /// Whether the connection was lost, or the server has sent GOAWAY.
    var isOver: Bool { phase.withLock { if case .over = $0 { true } else { false } } }

    /// Whether the connection has as many calls as the server allows. Further calls wait.
    var isFull: Bool { phase.withLock { if case .open(true) = $0 { true } else { false } } }

    /// Returns when the connection is ready. Throws UNAVAILABLE if it fails.
    func ready() async throws {
        try await withCheckedThrowingContinuation { continuation in
            let result: Result<Void, any Error>? = phase.withLock { phase in
                switch phase {
                case .connecting(let waiters):
                    phase = .connecting(waiters + [continuation])
                    return nil
                case .open: return .success(())
                case .over(let error): return .failure(error)
                }
            }
            if let result { continuation.resume(with: result) }
        }
    }

    func changed(_ connection: ClientConnection) {
        let error = connection.state == .ready ? nil : RPCError(.unavailable, connection.failure)
        let before = phase.withLock { phase in
            defer { phase = error.map { .over($0) } ?? .open(isFull: false) }
            return phase
        }
        guard case .connecting(let waiters) = before else { return }
        for waiter in waiters { waiter.resume(with: error.map { .failure($0) } ?? .success(())) }
    }

    func roomFreed(on connection: ClientConnection) { noteRoom(connection) }

    private func noteRoom(_ connection: ClientConnection) {
        let isFull = !connection.hasRoom
        phase.withLock { if case .open = $0 { $0 = .open(isFull: isFull) } }
    }

    func open(
        _ headers: HeaderBlock, _ options: WeirClient.CallOptions, maxMessageBytes: Int
    ) async throws -> ClientCall {
        try await shared.eventLoop.submit {
            guard let connection = self.connection else {
                throw RPCError(.unavailable, "the connection was lost")
            }
            let call = try ClientCall(
                connection, headers, options, maxMessageBytes: maxMessageBytes)
            self.noteRoom(connection)
            return call
        }.get()
    }

    func close() async {
        try? await shared.eventLoop.submit {
            self.connection?.shutDown("the client has closed the connection")
        }.get()
    }
}
