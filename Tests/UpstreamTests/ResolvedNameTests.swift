internal import NIOCore
internal import Testing

@testable internal import Upstream

@Suite struct ResolvedNameTests {
    private static func addresses(_ text: String) throws -> [SocketAddress] {
        try text.split(separator: " ").map { try SocketAddress(ipAddress: String($0), port: 1) }
    }

    @Test(
        "The addresses of the reachable family become replicas",
        arguments: [
            ("10.0.0.1 10.0.0.2", nil as ResolvedName.Family?, "10.0.0.1 10.0.0.2"),
            ("::1 ::2", nil, "::1 ::2"), ("10.0.0.1", .version6, "10.0.0.1"),
            ("::1", .version4, "::1"), ("::1 10.0.0.1", nil, "10.0.0.1"),
            ("::1 10.0.0.1 ::2", .version6, "::1 ::2"),
            ("::1 10.0.0.1 10.0.0.2", .version4, "10.0.0.1 10.0.0.2"), ("", .version4, ""),
        ])
    func chooses(all: String, reachable: ResolvedName.Family?, chosen: String) throws {
        let name = ResolvedName(try Self.addresses(all))
        #expect(name.replicas(reachable: reachable) == (try Self.addresses(chosen)))
    }
}

@Suite struct LookupScheduleTests {
    private static let second: UInt64 = 1_000_000_000

    @Test(
        "A name is resolved again soon while it is unknown or its backend is unusable",
        arguments: [
            (false, true, UInt64(30)), (true, true, 3), (false, false, 3), (true, false, 3),
        ])
    func schedules(failed: Bool, isUsable: Bool, seconds: UInt64) {
        var schedule = LookupSchedule()
        #expect(schedule.isDue(at: 0, isUsable: true))
        schedule.started(at: 100)
        #expect(!schedule.isDue(at: .max, isUsable: false))
        schedule.ended(at: 200, failed: failed)
        let due = 200 + seconds * Self.second
        #expect(!schedule.isDue(at: due - 1, isUsable: isUsable))
        #expect(schedule.isDue(at: due, isUsable: isUsable))
        #expect(!schedule.isDue(at: 0, isUsable: isUsable))
    }

    @Test("A name is slow if its last resolution took more than a second")
    func findsSlowNames() {
        var schedule = LookupSchedule()
        for (duration, isSlow) in [(Self.second + 1, true), (Self.second, false)] {
            schedule.started(at: 5)
            schedule.ended(at: 5 + duration, failed: true)
            #expect(schedule.isSlow == isSlow)
        }
    }
}
