internal import Testing

@testable internal import Upstream

@Suite struct WaitingLineTests {
    @Test("Elements leave in order, and can be removed from any position")
    func keepsOrder() {
        var line = WaitingLine<Int>()
        let tickets = (0..<5).map { line.append($0) }
        line.remove(tickets[0])
        line.remove(tickets[3])
        line.remove(tickets[3])
        #expect(line.count == 3)
        var order: [Int] = []
        while let first = line.first {
            order.append(first)
            line.removeFirst()
        }
        #expect(order == [1, 2, 4])
        #expect(line.isEmpty)
        line.removeFirst()
        #expect(line.isEmpty)
    }

    @Test(
        "It behaves like an array for random insertions and removals",
        arguments: [1, 2, 3] as [UInt64])
    func matchesAModel(seed: UInt64) {
        var random = TestRandom(state: seed)
        var line = WaitingLine<Int>()
        var model: [(ticket: WaitingTicket, value: Int)] = []
        for step in 0..<20_000 {
            switch random.next() % 5 {
            case 0, 1, 2: model.append((line.append(step), step))
            case 3 where !model.isEmpty:
                let index = Int(random.next() % UInt64(model.count))
                line.remove(model.remove(at: index).ticket)
            default:
                line.removeFirst()
                if !model.isEmpty { model.removeFirst() }
            }
            #expect(line.count == model.count)
            #expect(line.first == model.first?.value)
        }
    }
}

/// A linear congruential generator (Knuth's MMIX constants), for steps that a seed repeats.
private struct TestRandom {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }
}
