internal import Testing

@testable internal import OTLP

@Suite struct PendingRecordsTests {
    @Test(
        "A queue holds as many records as its capacity, and counts the others",
        arguments: [(0, 0), (1, 0), (2, 0), (3, 0), (4, 1), (9, 6)])
    func bound(added: Int, dropped: UInt64) {
        var pending = PendingRecords<Int>(capacity: 3)
        for number in 0..<added { pending.add(number) }
        #expect(pending.dropped == dropped)
        #expect(pending.count == min(3, added))
        #expect(pending.take(10) == Array(0..<min(3, added)))
        #expect(pending.count == 0)
    }

    @Test("Records leave in order", arguments: [-1, 0, 1, 2, 3, 4, Int.max])
    func order(limit: Int) {
        var pending = PendingRecords<Int>(capacity: 3)
        for number in 0..<3 { pending.add(number) }
        let first = pending.take(limit)
        #expect(first == Array(0..<max(0, min(3, limit))))
        pending.add(3)
        let added = first.isEmpty ? [] : [3]
        #expect(first + pending.take(.max) == Array(0..<3) + added)
    }

    @Test("A capacity below one counts as one")
    func least() {
        var pending = PendingRecords<Int>(capacity: -1)
        pending.add(1)
        #expect(pending.take(1) == [1])
    }
}
