internal import Testing

@testable internal import Serving

@Suite struct RateLimiterTests {
    private let rates: [Double] = [
        0, -1, 1e-300, 1e-9, 1.0 / 86_400, 1, 1e9, 1e18, 1e300, .infinity, -.infinity, .nan,
    ]
    private let bursts = [Int.min, -1, 0, 1, 2, 1_000, Int(Int32.max), Int.max]
    private let times: [UInt64] = [0, 1, 1 << 32, 1 << 53, UInt64(Int64.max) / 2]

    @Test("Every rate and burst admits the first request at any time, and no number overflows")
    func acceptsExtremes() {
        var inputs = 0
        for rate in rates {
            for burst in bursts {
                for time in times {
                    let limiter = RateLimiter(requestsPerSecond: rate, burst: burst)
                    #expect(limiter.take(at: time) == nil, "\(rate) \(burst) \(time)")
                    for _ in 0..<3 { _ = limiter.take(at: time) }
                    inputs += 1
                }
            }
        }
        #expect(inputs == rates.count * bursts.count * times.count)
    }

    @Test("A burst is admitted at once, and then one request per interval")
    func limits() {
        let limiter = RateLimiter(requestsPerSecond: 10, burst: 3)
        let now: UInt64 = 5_000_000_000
        #expect(
            (0..<5).map { _ in limiter.take(at: now) } == [nil, nil, nil, 100_000_000, 100_000_000])
        #expect(limiter.take(at: now + 100_000_000) == nil)
        #expect(limiter.take(at: now + 100_000_000) == 100_000_000)
    }
}
