internal import NIOCore
internal import NIOPosix
internal import Transport

/// Connects to the socket of a worker that starts, to find out whether it answers with HTTP/2. A
/// program may listen long before it can serve.
///
/// ```
///   connecting --refused----------------------> notListening
///       '--- connected --SETTINGS-------------> ready
///                '--closed, timeout, no HTTP/2-> failed
/// ```
///
/// Invariant of `@unchecked Sendable`: every stored `var` is used only on the loop.
final class WorkerProbe: ClientConnectionOwner, @unchecked Sendable {
    enum Result: Equatable, Sendable {
        case ready
        case notListening
        case failed(String)
    }

    /// The time for a connection to receive the SETTINGS. Then another one is tried.
    private static let timeout = Duration.seconds(1)
    private static let loop = ConnectionLoop(MultiThreadedEventLoopGroup.singleton.next())

    private var waiter: CheckedContinuation<Result, Never>?
    /// Retains the probe until its result: a connection does not retain its owner.
    private var running: WorkerProbe?

    private init(_ waiter: CheckedContinuation<Result, Never>) { self.waiter = waiter }

    static func run(_ address: SocketAddress) async -> Result {
        await withCheckedContinuation { waiter in
            loop.eventLoop.execute { WorkerProbe(waiter).connect(to: address) }
        }
    }

    private func connect(to address: SocketAddress) {
        running = self
        var options = ClientConnection.Options()
        options.connectTimeout = Self.timeout
        _ = ClientConnection.connect(
            to: .address(address), on: Self.loop, options, owner: self)
    }

    func changed(_ connection: ClientConnection) {
        switch connection.state {
        case .connecting: return
        case .ready, .draining: end(.ready)
        case .closed: end(connection.hasConnected ? .failed(connection.failure) : .notListening)
        }
        connection.shutDown("the worker has answered")
    }

    private func end(_ result: Result) {
        waiter?.resume(returning: result)
        waiter = nil
        running = nil
    }

    func roomFreed(on connection: ClientConnection) {}
}
