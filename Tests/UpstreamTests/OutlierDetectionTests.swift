internal import Testing

@testable internal import Upstream

@Suite struct OutlierDetectionTests {
    private let second: UInt64 = 1_000_000_000

    @Test("Consecutive ejections last longer, up to the bound, and are forgiven")
    func growsEjections() {
        let settings = OutlierDetection()
        var record = OutlierDetection.Record()
        var now: UInt64 = 0
        for seconds in [30, 60, 90] as [UInt64] {
            record.eject(at: now, settings)
            #expect(record.ejectedUntil == now + seconds * second)
            let early = record.readmit(at: now + seconds * second - 1)
            now += seconds * second
            let (inTime, again) = (record.readmit(at: now), record.readmit(at: now))
            #expect(!early && inTime && !again)
        }
        for _ in 0..<2 { record.forgive() }
        record.eject(at: now, settings)
        #expect(record.ejectedUntil == now + 60 * second)
        #expect(record.ejections == 4)
        for _ in 0..<40 { record.eject(at: now, settings) }
        #expect(record.ejectedUntil == now + 300 * second)
    }

    @Test("An ejection is not forgiven before it ends")
    func keepsTheMultiplier() {
        var record = OutlierDetection.Record()
        record.eject(at: 0, OutlierDetection())
        record.forgive()
        #expect(record.multiplier == 1)
    }

    @Test(
        "One replica can always be ejected, more only up to the share",
        arguments: [(0, 1, true), (0, 10, true), (1, 2, false), (1, 4, true), (2, 4, false)])
    func limitsEjections(ejected: Int, replicas: Int, allowed: Bool) {
        #expect(
            OutlierDetection().allowsEjection(ejected: ejected, replicas: replicas) == allowed)
    }

    @Test(
        "The share of failures counts from the minimum number of requests on",
        arguments: [
            (50, 50, true), (43, 50, true), (42, 50, false), (49, 49, false), (0, 100, false),
        ])
    func comparesShares(failures: Int, requests: Int, isOutlier: Bool) {
        #expect(
            OutlierDetection().isOutlier(failures: failures, requests: requests) == isOutlier)
    }

    @Test("A share of zero disables the detection by share")
    func zeroDisablesShare() {
        var settings = OutlierDetection()
        settings.failureShare = 0
        #expect(!settings.isOutlier(failures: 100, requests: 100))
    }
}
