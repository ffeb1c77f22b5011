internal import Testing

@testable internal import Upstream

@Suite struct RetryPolicyTests {
    @Test(
        "The delay doubles from attempt to attempt up to its bound",
        arguments: [(2, 25), (3, 50), (4, 100), (7, 800), (8, 1_000), (60, 1_000)])
    func delays(attempt: Int, milliseconds: Int) {
        #expect(RetryPolicy().delayBound(before: attempt) == .milliseconds(milliseconds))
    }

    /// The number of retries allowed at a time.
    private func taken(_ budget: inout RetryBudget, at now: UInt64) -> Int {
        var count = 0
        while budget.take(at: now) { count += 1 }
        return count
    }

    @Test("Each request adds a fifth of a retry")
    func refillsByRequests() {
        var budget = RetryBudget(share: 0.2, perSecond: 0, now: 0)
        let before = taken(&budget, at: 0)
        for _ in 0..<11 { budget.requestBegan() }
        let after = taken(&budget, at: 0)
        #expect(before == 0 && after == 2)
    }

    @Test("Time adds at most the retries of one second")
    func refillsByTime() {
        var budget = RetryBudget(share: 0, perSecond: 2, now: 0)
        let second: UInt64 = 1_000_000_000
        let counts = [0, second / 2, 100 * second].map { taken(&budget, at: $0) }
        #expect(counts == [2, 1, 2])
    }

    @Test("The saved retries are bounded")
    func savesUpToItsCapacity() {
        var budget = RetryBudget(share: 1, perSecond: 0, now: 0)
        for _ in 0..<1_000 { budget.requestBegan() }
        let saved = taken(&budget, at: 0)
        #expect(saved == Int(RetryBudget.capacity))
    }
}

@Suite struct BackoffTests {
    private let second: UInt64 = 1_000_000_000

    @Test("Attempts are spaced as in gRPC's document: 1 s, 1.6 s, ... up to 2 minutes")
    func spacesAttempts() {
        var backoff = Backoff()
        var now: UInt64 = 0
        for expected in [1.0, 1.6, 2.56, 4.096] {
            backoff.attemptStarted(at: now)
            backoff.failed(at: now, random: 0.5)
            #expect(abs(Double(backoff.retryAt - now) / 1e9 - expected) < 0.001)
            now = backoff.retryAt
        }
        for _ in 0..<40 {
            backoff.attemptStarted(at: now)
            backoff.failed(at: now, random: 0.5)
        }
        #expect(backoff.retryAt - now == 120 * second)
    }

    @Test("Jitter is a fifth to either side", arguments: [(0.0, 0.8), (0.5, 1.0), (1.0, 1.2)])
    func jitters(random: Double, seconds: Double) {
        var backoff = Backoff()
        backoff.attemptStarted(at: 0)
        backoff.failed(at: 0, random: random)
        #expect(abs(Double(backoff.retryAt) / 1e9 - seconds) < 0.001)
    }

    @Test("The next attempt follows at once if the last one took longer than the delay")
    func countsFromTheStart() {
        var backoff = Backoff()
        backoff.attemptStarted(at: 0)
        backoff.failed(at: 5 * second, random: 0.5)
        #expect(backoff.retryAt == 5 * second)
    }

    @Test("An early attempt is allowed after a success elsewhere, but not twice in a row")
    func allowsEarlyAttempts() {
        var backoff = Backoff()
        backoff.attemptStarted(at: second)
        #expect(!backoff.allowsEarlyAttempt(at: second + second / 20))
        #expect(backoff.allowsEarlyAttempt(at: second + second / 10))
    }
}
