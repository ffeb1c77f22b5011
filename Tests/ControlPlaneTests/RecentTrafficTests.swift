internal import Testing

@testable internal import ControlPlane

@Suite("The requests of the last minute")
struct RecentTrafficTests {
    @Test("are a rate over at most a minute")
    func rates() {
        let start = ContinuousClock.now
        var traffic = RecentTraffic()
        #expect(traffic.perSecond(of: "e", started: 5, at: start) == nil)
        for second in stride(from: 0, through: 300, by: 10) {
            let now = start + .seconds(second)
            #expect(traffic.mustSample(at: now))
            // An hour at 1/s, then 50/s.
            traffic.add(["e": UInt64(second <= 240 ? second : 240 + (second - 240) * 50)], at: now)
            #expect(!traffic.mustSample(at: now + .seconds(9)))
        }
        let now = start + .seconds(300)
        #expect(traffic.perSecond(of: "e", started: 3_240, at: now) == 50)
        #expect(traffic.perSecond(of: "new", started: 60, at: now) == 1)
        // The endpoint was deleted and created.
        #expect(traffic.perSecond(of: "e", started: 60, at: now) == 1)
    }

    @Test("are unknown without a sample of at least a second ago")
    func young() {
        let start = ContinuousClock.now
        var traffic = RecentTraffic()
        traffic.add(["e": 0], at: start)
        #expect(traffic.perSecond(of: "e", started: 5, at: start + .milliseconds(999)) == nil)
        #expect(traffic.perSecond(of: "e", started: 5, at: start + .seconds(1)) == 5)
        #expect(traffic.perSecond(of: "e", started: 5, at: start + .seconds(61)) == nil)
    }
}
