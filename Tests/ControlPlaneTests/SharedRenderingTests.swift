internal import Synchronization
internal import Testing

@testable internal import ControlPlane

@Suite(.timeLimit(.minutes(1))) struct SharedRenderingTests {
    /// Lets a rendering wait for the test.
    private final class Gate: Sendable {
        private let stream = AsyncStream.makeStream(of: Void.self)
        func open() { stream.continuation.finish() }
        func pass() async { for await _ in stream.stream {} }
    }

    private final class Count: Sendable {
        let value = Mutex(0)
    }

    @Test("Requests that wait at the same time share one rendering of their form")
    func shares() async {
        let rendering = SharedRendering<String>()
        let gate = Gate()
        let count = Count()
        let bodies = await withTaskGroup(of: [UInt8]?.self) { group in
            for number in 0..<5 {
                group.addTask {
                    await rendering.body("a") {
                        count.value.withLock { $0 += 1 }
                        await gate.pass()
                        return [7]
                    } ?? [UInt8(number)]
                }
            }
            while rendering.waiting < 5 { await Task.yield() }
            gate.open()
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(bodies == Array(repeating: [7], count: 5))
        #expect(count.value.withLock { $0 } == 1)
        let later = await rendering.body("a") { [8] }
        #expect(later == .some([8]), "a later request renders again")
    }

    @Test("Above the limit of waiting requests, a request is refused at once")
    func isBounded() async {
        let rendering = SharedRendering<String>(maxWaiting: 1)
        let gate = Gate()
        let started = AsyncStream.makeStream(of: Void.self)
        async let first = rendering.body("a") {
            started.continuation.finish()
            await gate.pass()
            return [1]
        }
        for await _ in started.stream {}
        let refused = await rendering.body("b") { [2] }
        #expect(refused == nil)
        gate.open()
        let body = await first
        #expect(body == .some([1]))
        let admitted = await rendering.body("b") { nil }
        #expect(admitted == .some(nil), "a rendering without a result is not a refusal")
    }
}
