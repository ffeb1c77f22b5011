internal import GRPCWire
internal import HTTP2Session
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// The connection behind a `WeirClient`, from the first attempt to its end.
///
/// `@unchecked Sendable`: the connection is only used on its loop, the rest is behind a lock.
final class ClientLink: ClientConnectionOwner, @unchecked Sendable {
    private struct State {
        var isOpen = true
        var waiter: CheckedContinuation<Void, any Error>?
    }

    private let state = Mutex(State())
    private let shared: ConnectionLoop
    private var connection: ClientConnection?

    /// False after the connection was lost or the server asked the client to go.
    var isOpen: Bool { state.withLock { $0.isOpen } }

    private init(_ shared: ConnectionLoop) { self.shared = shared }

    /// Connects, and returns when the server has answered.
    static func connect(
        to address: Address, _ options: ClientConnection.Options
    ) async throws -> ClientLink {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let link = ClientLink(ConnectionLoop(loop))
        try await withCheckedThrowingContinuation { continuation in
            link.state.withLock { $0.waiter = continuation }
            loop.execute { link.begin(address, options) }
        }
        return link
    }

    private func begin(_ address: Address, _ options: ClientConnection.Options) {
        connection = .connect(
            to: .host(address.host, port: address.port), on: shared, options, owner: self)
    }

    func changed(_ connection: ClientConnection) {
        let waiter = state.withLock { state in
            state.isOpen = connection.state == .ready
            defer { state.waiter = nil }
            return state.waiter
        }
        if connection.state == .ready {
            waiter?.resume()
        } else {
            waiter?.resume(throwing: RPCError(.unavailable, connection.failure))
        }
    }

    func roomFreed(on connection: ClientConnection) {}

    func open(
        _ headers: HeaderBlock, timeout: Duration?, maxMessageBytes: Int
    ) async throws -> ClientCall {
        try await shared.eventLoop.submit {
            guard let connection = self.connection else {
                throw RPCError(.unavailable, "the connection was lost")
            }
            return try ClientCall(
                connection, headers, timeout: timeout, maxMessageBytes: maxMessageBytes)
        }.get()
    }

    func close() async {
        try? await shared.eventLoop.submit {
            self.connection?.shutDown("the client has closed the connection")
        }.get()
    }
}
