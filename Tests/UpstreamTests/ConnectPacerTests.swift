internal import NIOCore
internal import NIOEmbedded
internal import Testing

@testable internal import Upstream

@Suite struct ConnectPacerTests {
    @Test("A few connects run at once, many run a few at a time, all in order")
    func paces() {
        let loop = EmbeddedEventLoop()
        let pacer = ConnectPacer(loop)
        var done: [Int] = []
        for number in 0..<300 { pacer.enqueue { done.append(number) } }
        #expect(done.count == 32)
        // Four more each millisecond.
        loop.advanceTime(by: .milliseconds(1))
        #expect(done.count == 36)
        loop.advanceTime(by: .milliseconds(65))
        #expect(done.count == 296)
        loop.advanceTime(by: .milliseconds(1))
        #expect(done == Array(0..<300))
    }

    @Test("Work added by work also runs, and an idle time restores the allowance")
    func nests() {
        let loop = EmbeddedEventLoop()
        let pacer = ConnectPacer(loop)
        var done: [Int] = []
        for number in 0..<10 {
            pacer.enqueue {
                done.append(number)
                pacer.enqueue { done.append(number + 100) }
            }
        }
        #expect(done.count == 20)
        loop.advanceTime(by: .milliseconds(50))
        for number in 0..<32 { pacer.enqueue { done.append(number) } }
        #expect(done.count == 52)
    }
}
