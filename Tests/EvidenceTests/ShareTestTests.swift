internal import Testing

@testable internal import Evidence

@Suite("The evidence for a share of bad results")
struct ShareTestTests {
    private static func test(_ limit: Double, bad: UInt64, of all: UInt64) throws -> ShareTest {
        var test = try #require(ShareTest(limit: limit))
        test.add(bad: bad, of: all)
        return test
    }

    @Test(
        "equals the test vectors",
        arguments: [
            (RatioTest.Side.above, 0.001, 5, 1_000, 0.3859475099),
            (.below, 0.001, 0, 3_000, 2.3168238118),
            (.above, 0.01, 20, 1_000, 0.2954010521),
        ] as [(RatioTest.Side, Double, UInt64, UInt64, Double)])
    func vectors(side: RatioTest.Side, limit: Double, bad: UInt64, all: UInt64, expected: Double)
        throws
    {
        #expect(abs(try Self.test(limit, bad: bad, of: all).logEvidence(side) - expected) < 1e-9)
    }

    @Test("is 1 without results", arguments: [RatioTest.Side.above, .below])
    func empty(side: RatioTest.Side) throws {
        #expect(try Self.test(0.01, bad: 0, of: 0).logEvidence(side) == 0)
    }

    @Test("of zero bad results reaches 20 at 3.78 divided by the limit", arguments: [0.01, 1e-4])
    func zeroBad(limit: Double) throws {
        let needed = UInt64(3.78 / limit)
        #expect(
            try Self.test(limit, bad: 0, of: needed + needed / 50).logEvidence(.below) >= 2.9957)
        #expect(try Self.test(limit, bad: 0, of: needed - needed / 50).logEvidence(.below) < 2.9957)
    }

    @Test(
        "is never NaN: zero, huge and one-sided counts",
        arguments: [
            (0, 1), (1, 1), (0, 1_000_000_000), (1_000_000_000, 1_000_000_000),
            (1_000_000, 1_000_000_000), (0, .max), (.max, .max), (.max / 2, .max), (.max, 1),
        ] as [(UInt64, UInt64)])
    func extremes(bad: UInt64, all: UInt64) throws {
        for limit in [1e-9, 0.001, 0.5, 0.999] {
            let test = try Self.test(limit, bad: bad, of: all)
            for side in [RatioTest.Side.above, .below] {
                let evidence = test.logEvidence(side)
                #expect(!evidence.isNaN && evidence < .infinity, "\(limit) \(side)")
            }
        }
    }

    @Test(
        "rejects limits outside its range",
        arguments: [.nan, .infinity, 0, -1, 1, 1e300, 1e-10] as [Double])
    func rejects(limit: Double) {
        #expect(ShareTest(limit: limit) == nil)
    }

    @Test("continues from stored sums only")
    func stores() throws {
        let test = try Self.test(0.01, bad: 7, of: 99)
        var restored = try #require(ShareTest(limit: 0.01))
        #expect(restored.restore(bad: test.bad, good: test.good) == true)
        #expect(restored == test)
        #expect(restored.restore(bad: .nan, good: 1) == false)
        #expect(restored.restore(bad: 1, good: -1) == false)
        #expect(restored == test)
    }

    @Test(
        "uses an incomplete beta function that is exact in both tails",
        arguments: [
            // x, a, b, ln I, ln (1 − I); I_x(a, 1) = x^a, I_x(1, b) = 1 − (1 − x)^b.
            (0.5, 10, 1, -6.931471805599453, -0.0009770396478266144),
            (0.001, 1, 5_000, -0.006744769574, -5.002501667917),
            (0.3, 0.5, 0.5, -0.9969312110, -0.4604654539),
            (1e-9, 100, 1, -2_072.3265836946, 0),
        ] as [(Double, Double, Double, Double, Double)])
    func incompleteBeta(x: Double, a: Double, b: Double, lower: Double, upper: Double) throws {
        let logs = try #require(IncompleteBeta.logs(x, a, b))
        #expect(abs(logs.lower - lower) < 1e-6 * max(1, abs(lower)))
        #expect(abs(logs.upper - upper) < 1e-6 * max(1, abs(upper)))
    }
}
