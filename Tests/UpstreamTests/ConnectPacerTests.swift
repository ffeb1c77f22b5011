internal import NIOCore
internal import NIOPosix
internal import Testing

@testable internal import Upstream

@Suite struct ConnectPacerTests {
    /// `@unchecked Sendable`: confined to its loop.
    private final class Diary: @unchecked Sendable {
        var done: [Int] = []
    }

    @Test("A few are served at once, many a few at a time, all of them in order")
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

    @Test("Work that asks for work is served too, and a quiet time brings the allowance back")
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
