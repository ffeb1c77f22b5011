public import ServiceLifecycle
public import Weir

/// Runs a `WeirServer` in a `ServiceGroup` of swift-service-lifecycle.
///
/// ```swift
/// let server = WeirServer(backends: [v1, v2])
/// let service = WeirService(server) { addresses in
///     try await server.createEndpoint(
///         "greeter", route: "/helloworld.Greeter/", backend: "greeter-v1")
/// }
/// try await ServiceGroup(
///     services: [database, service], gracefulShutdownSignals: [.sigterm], logger: logger
/// ).run()
/// ```
///
/// The group handles signals, so the server reads its certificates again only when they change, or
/// by `WeirServer.reload()`. A service runs once: `WeirServer` cannot start a second time.
public struct WeirService: ServiceLifecycle.Service {
    private let server: WeirServer
    private let started: @Sendable (WeirServer.Addresses) async throws -> Void

    /// - Parameters:
    ///   - server: a server that has not started.
    ///   - started: called when the server listens, for example to create endpoints. An error ends
    ///     the service.
    public init(
        _ server: WeirServer,
        started: @escaping @Sendable (WeirServer.Addresses) async throws -> Void = { _ in }
    ) {
        self.server = server
        self.started = started
    }

    /// Serves until the group shuts down gracefully, then drains: the health of the server is
    /// NOT_SERVING, it accepts no more connections after `Limits.drainDelay`, and running requests
    /// finish within `Limits.drainTimeout`.
    ///
    /// Throws the error with which the server does not start, that of `started`, or
    /// `CancellationError`. A cancelled service ends without a drain.
    public func run() async throws {
        let addresses = try await server.start()
        do {
            try await started(addresses)
            try await gracefulShutdown()
            _ = try await server.drain()
        } catch {
            try? await server.shutDown()
            throw error
        }
        try await server.shutDown()
    }
}
