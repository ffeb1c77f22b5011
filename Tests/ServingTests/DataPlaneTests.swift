internal import Logging
internal import NIOCore
internal import Observability
internal import Testing

@testable internal import Serving

@Suite(.timeLimit(.minutes(1))) struct DataPlaneTests {
    private let dataPlane = DataPlane(
        loops: 2, limits: Limits(), namesBackends: true, log: Logger(label: "test"))

    @Test("A snapshot is on every loop when it is published")
    func publishes() async throws {
        let snapshot = RoutingSnapshot.empty
        try await dataPlane.publish(snapshot)
        #expect(try await dataPlane.figures().refusedConnections == 0)
        try await dataPlane.shutDown()
    }

    @Test("After the shutdown, publishing and reading counts fail instead of waiting")
    func failsAfterShutDown() async throws {
        try await dataPlane.shutDown()
        await #expect(throws: EventLoopError.shutdown) {
            try await dataPlane.publish(RoutingSnapshot.empty)
        }
        await #expect(throws: EventLoopError.shutdown) { try await dataPlane.figures() }
    }
}
