internal import Foundation
internal import Logging
internal import Messages
internal import Serving
internal import StateStores
internal import Testing
internal import Transport

@testable internal import ControlPlane

@Suite(.timeLimit(.minutes(1))) struct ViewPublisherTests {
    private func withPlane(_ body: (ControlPlane, DataPlane) async throws -> Void) async throws {
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let dataPlane = DataPlane(loops: 1, limits: Limits(), namesBackends: true, log: log)
        let plane = ControlPlane(
            dataPlane: dataPlane, handlers: [HandlerBackend("v1", services: [])], log: log)
        try await plane.start()
        do {
            try await body(plane, dataPlane)
        } catch {
            await plane.stop()
            try await dataPlane.shutDown()
            throw error
        }
        await plane.stop()
        // A test may have shut it down.
        try? await dataPlane.shutDown()
    }

    private func get(_ path: String, _ plane: ControlPlane) async throws -> HTTPReply {
        let head = try HTTPRequestHead(
            "GET", target: path, [("host", "localhost")], .http1(minor: 1))
        return await plane.answer(HTTPRequest(head, body: [], peer: Peer()))
    }

    @Test("A change is in the view when it is acknowledged, and a rejected one is not")
    func publishesChanges() async throws {
        try await withPlane { plane, _ in
            let revision = plane.views.current.state.revision
            try await plane.createEndpoint("e", route: "/p.S/", backend: "v1")
            let view = plane.views.current
            #expect(view.state.revision == revision + 1)
            #expect(view.state.endpoints["e"] != nil)
            #expect(view.routing.endpoint(named: "e")?.revision == view.state.revision)
            await #expect(throws: ControlError.self) {
                try await plane.createEndpoint("e", route: "/p.S/", backend: "v1")
            }
            try await plane.createEndpoint(
                "f", route: "/p.T/", backend: "v1", options: .init(validateOnly: true))
            #expect(plane.views.current.state.revision == revision + 1)
        }
    }

    @Test("A problem of the store is in the view, and the served state stays")
    func publishesProblems() async throws {
        try await withPlane { plane, _ in
            await plane.leaveStore()
            let view = plane.views.current
            #expect(view.storeProblem == .ending)
            #expect(view.state.backends["v1"] != nil)
        }
    }

    @Test("Metrics and reads do not wait for the control plane")
    func readsWithoutActor() async throws {
        try await withPlane { plane, _ in
            let gate = Gate()
            let blocked = Task { await plane.block(until: gate) }
            await gate.waitUntilBlocked()
            let reply = try await get("/metrics", plane)
            #expect(reply.status == 200)
            #expect(String(decoding: reply.body, as: UTF8.self).contains("weir_revision 1\n"))
            let stats = try await plane.views.readSampled { try $0.stats(endpoint: "") }
            #expect(stats.revision == 1)
            gate.open()
            await blocked.value
        }
    }

    @Test("A read runs off the executor of its caller")
    func readsOffTheLoop() async throws {
        try await withPlane { plane, _ in
            let executor = ThreadExecutor(threads: 1)
            let (caller, reader) = await Task(executorPreference: executor) {
                let caller = threadID()
                return (caller, await plane.views.read { _ in threadID() })
            }.value
            #expect(caller != reader)
            try await executor.shutDown()
        }
    }

    @Test("While the server shuts down, metrics are unavailable")
    func reportsShutDown() async throws {
        try await withPlane { plane, dataPlane in
            try await dataPlane.shutDown()
            #expect(try await get("/metrics", plane).status == 503)
            #expect(await plane.views.sample().figures == nil)
        }
    }
}

extension ControlPlane {
    /// Occupies the thread of the control plane.
    fileprivate func block(until gate: Gate) { gate.block() }
}

/// Blocks a thread until a test opens it.
private final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let blocked = AsyncStream.makeStream(of: Void.self)

    func block() {
        blocked.continuation.finish()
        semaphore.wait()
    }

    func waitUntilBlocked() async { for await _ in blocked.stream {} }

    func open() { semaphore.signal() }
}

private func threadID() -> UInt { UInt(pthread_self()) }
