internal import NIOCore
internal import NIOPosix
internal import Testing

@testable internal import Serving

@Suite struct ConnectPacerTests {
    /// Invariant of `@unchecked Sendable`: confined to its loop.
    private final class Diary: @unchecked Sendable {
        var done: [Int] = []
    }

    @Test("A few connects run at once, many run a few at a time, all in order")
    func paces() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let (pacer, diary) = (ConnectPacer(loop), Diary())
        let atOnce = try await loop.submit {
            for number in 0..<300 { pacer.enqueue { diary.done.append(number) } }
            return diary.done.count
        }.get()
        #expect(atOnce == 32)
        for _ in 0..<1_000 where try await loop.submit({ diary.done.count }).get() < 300 {
            try await Task.sleep(for: .milliseconds(2))
        }
        #expect(try await loop.submit { diary.done }.get() == Array(0..<300))
    }

    @Test("Work added by work also runs, and an idle time restores the allowance")
    func nests() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let (pacer, diary) = (ConnectPacer(loop), Diary())
        try await loop.submit {
            for number in 0..<10 {
                pacer.enqueue {
                    diary.done.append(number)
                    pacer.enqueue { diary.done.append(number + 100) }
                }
            }
            #expect(diary.done.count == 20)
        }.get()
        try await Task.sleep(for: .milliseconds(50))
        try await loop.submit {
            for number in 0..<32 { pacer.enqueue { diary.done.append(number) } }
            #expect(diary.done.count == 52)
        }.get()
    }
}
