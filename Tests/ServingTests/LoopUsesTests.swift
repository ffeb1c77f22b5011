internal import NIOCore
internal import Testing

@testable internal import Serving

@Suite(.timeLimit(.minutes(1))) struct LoopUsesTests {
    @Test("Loops without uses close at once, and reject later uses") func closesAtOnce() async {
        let uses = LoopUses()
        await uses.close()
        await #expect(throws: EventLoopError.shutdown) { try await uses.use {} }
    }

    @Test("Loops close after their last use") func closesAfterTheLastUse() async throws {
        let uses = LoopUses()
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let (ending, end) = AsyncStream.makeStream(of: Void.self)
        let order = Order()
        async let used: Void = uses.use {
            begin.finish()
            for await _ in ending {}
            await order.add("used")
        }
        for await _ in begun {}
        async let closed: Void = {
            await uses.close()
            await order.add("closed")
        }()
        // A use is rejected as soon as the closing has begun, and until then it ends.
        while (try? await uses.use {}) != nil { await Task.yield() }
        end.finish()
        try await used
        await closed
        #expect(await order.words == ["used", "closed"])
    }

    @Test("A use that throws has ended") func failureEndsUse() async {
        struct Failure: Error {}
        let uses = LoopUses()
        await #expect(throws: Failure.self) { try await uses.use { throw Failure() } }
        await uses.close()
    }

    private actor Order {
        var words: [String] = []
        func add(_ word: String) { words.append(word) }
    }
}
