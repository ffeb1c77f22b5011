internal import Testing

@testable internal import Serving

@Suite struct DeadlineWheelTests {
    private static let tick: UInt64 = 1 << 20

    @Test("A deadline fires at its time, rounded up to a tick, and never before")
    func fires() {
        var wheel = DeadlineWheel<String>(now: 0)
        _ = wheel.insert(due: 10 * Self.tick, "a")
        _ = wheel.insert(due: 10 * Self.tick + 1, "b")
        var fired: [String] = []
        wheel.advance(to: 10 * Self.tick - 1) { fired.append($0) }
        #expect(fired == [])
        wheel.advance(to: 10 * Self.tick) { fired.append($0) }
        #expect(fired == ["a"])
        wheel.advance(to: 11 * Self.tick) { fired.append($0) }
        #expect(fired == ["a", "b"])
        #expect(wheel.count == 0)
        #expect(wheel.nextWake == nil)
    }

    @Test("A deadline in the past fires at the next tick")
    func firesPast() {
        var wheel = DeadlineWheel<Int>(now: 100 * Self.tick)
        _ = wheel.insert(due: 1, 1)
        var fired: [Int] = []
        wheel.advance(to: 100 * Self.tick) { fired.append($0) }
        #expect(fired == [1])
    }

    @Test("A removed deadline does not fire, and its token is invalid")
    func removes() {
        var wheel = DeadlineWheel<Int>(now: 0)
        let token = wheel.insert(due: 5 * Self.tick, 1)
        wheel.remove(token)
        _ = wheel.insert(due: 5 * Self.tick, 2)
        wheel.remove(token)
        var fired: [Int] = []
        wheel.advance(to: 6 * Self.tick) { fired.append($0) }
        #expect(fired == [2])
    }

    @Test("Random deadlines, some of them removed, all fire in time", arguments: 1...20)
    func firesRandom(seed: UInt64) {
        var state = seed
        func random(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % bound
        }
        var wheel = DeadlineWheel<Int>(now: 0)
        var due: [Int: UInt64] = [:]
        var now: UInt64 = 0
        for number in 0..<2_000 {
            // Up to five turns of the wheel ahead.
            let at = now + random(5_000) * Self.tick
            let token = wheel.insert(due: at, number)
            if random(3) == 0 { wheel.remove(token) } else { due[number] = at }
            now += random(8) * Self.tick
            wheel.advance(to: now) { fired in
                #expect((due.removeValue(forKey: fired) ?? .max) <= now)
            }
            #expect(due.values.allSatisfy { $0 + Self.tick > now })
            #expect(wheel.count == due.count)
        }
        while let next = wheel.nextWake {
            now = max(now + 1, next)
            wheel.advance(to: now) { due[$0] = nil }
        }
        #expect(due.isEmpty)
    }

    @Test("After a pause of hours, all expired deadlines fire at once")
    func survivesPauses() {
        var wheel = DeadlineWheel<Int>(now: 0)
        for number in 0..<100 { _ = wheel.insert(due: UInt64(number) * 50 * Self.tick, number) }
        var fired: [Int] = []
        wheel.advance(to: 1 << 50) { fired.append($0) }
        #expect(fired.sorted() == Array(0..<100))
    }
}
