internal import Testing
internal import Transport

@Suite struct ExponentialDelayTests {
    @Test(
        "The bound doubles with each attempt, up to the maximum",
        arguments: [
            (-1, 10), (0, 10), (1, 10), (2, 10), (3, 20), (4, 40), (5, 70), (33, 70), (.max, 70),
        ])
    func bounds(attempt: Int, milliseconds: Int) {
        let delay = ExponentialDelay(initial: .milliseconds(10), maximum: .milliseconds(70))
        #expect(delay.bound(before: attempt) == .milliseconds(milliseconds))
    }

    @Test("A maximum below the initial bound applies at once")
    func smallMaximum() {
        let delay = ExponentialDelay(initial: .seconds(3), maximum: .seconds(1))
        #expect(delay.bound(before: 2) == .seconds(1))
    }
}

@Suite struct TokenBucketTests {
    @Test("A bucket allows its capacity at once, and then its rate")
    func refills() {
        var bucket = TokenBucket(capacity: 2, perSecond: 10, at: 1_000)
        let burst = (0..<3).map { _ in bucket.take(1, at: 1_000) }
        #expect(burst == [true, true, false])
        let early = bucket.take(1, at: 1_000 + 99_000_000)
        let due = bucket.take(1, at: 1_000 + 101_000_000)
        #expect(!early && due)
    }

    @Test("A bucket never holds more than its capacity")
    func isBounded() {
        var bucket = TokenBucket(capacity: 2, perSecond: 10, at: 0)
        let taken = (0..<4).filter { _ in bucket.take(1, at: .max) }.count
        #expect(taken == 2)
    }

    @Test("A clock that moves back adds no tokens and removes none")
    func clockMovesBack() {
        var bucket = TokenBucket(capacity: 1, perSecond: 1, at: 5_000_000_000)
        let first = bucket.take(1, at: 5_000_000_000)
        let back = bucket.take(1, at: 0)
        let later = bucket.take(1, at: 5_500_000_000)
        let due = bucket.take(1, at: 6_000_000_001)
        #expect(first && !back && !later && due)
    }

    @Test("A refused request takes no token, and a look takes none")
    func refusalTakesNothing() {
        var bucket = TokenBucket(capacity: 3, perSecond: 0, at: 0)
        let tooMany = bucket.take(4, at: 0)
        let has = bucket.has(3, at: 0)
        let all = bucket.take(3, at: 0)
        #expect(!tooMany && has && all)
    }
}
