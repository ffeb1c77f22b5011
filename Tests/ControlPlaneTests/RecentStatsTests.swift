internal import Messages
internal import Observability
internal import Serving
import Testing

@testable internal import ControlPlane

@Suite("The figures of the last minutes")
struct RecentStatsTests {
    private static let start = ContinuousClock.now

    /// A span of ten seconds for each number, with one line for each endpoint.
    private static func recent(_ spans: Int, _ endpoints: String...) -> RecentStats {
        var recent = RecentStats()
        recent.add(nil, figures: ServingFigures(), at: start)
        for span in 1...spans {
            let stats = Weir_Admin_V1_Stats(
                seconds: 10, backends: endpoints.map { .init(endpoint: $0, backend: "b") },
                revision: UInt64(span), endpoints: endpoints.map { .init(endpoint: $0) })
            recent.add(stats, figures: ServingFigures(), at: start + .seconds(10 * span))
        }
        return recent
    }

    @Test("are those of the spans that end after a time")
    func selects() {
        let recent = Self.recent(5, "e", "f")
        let revisions = { (seconds: Int) in
            recent.since(Self.start + .seconds(seconds), endpoint: "").map(\.revision)
        }
        #expect(revisions(0) == [1, 2, 3, 4, 5])
        #expect(revisions(9) == [1, 2, 3, 4, 5] && revisions(10) == [2, 3, 4, 5])
        #expect(revisions(49) == [5] && revisions(50) == [])
        #expect(recent.latest?.end == Self.start + .seconds(50))
    }

    @Test("are those of one endpoint, or of all")
    func filters() {
        let recent = Self.recent(2, "e", "f")
        let names = { (endpoint: String) in
            recent.since(Self.start, endpoint: endpoint).map { $0.backends.map(\.endpoint) }
        }
        #expect(names("") == [["e", "f"], ["e", "f"]])
        #expect(names("f") == [["f"], ["f"]])
        #expect(names("other") == [[], []])
        let rejected = recent.since(Self.start, endpoint: "f").map {
            $0.endpoints.map(\.endpoint)
        }
        #expect(rejected == [["f"], ["f"]])
    }

    @Test("are forgotten after ten minutes, or when they have too many lines")
    func isBounded() {
        #expect(Self.recent(100, "e").since(Self.start, endpoint: "").map(\.revision).first == 40)
        var recent = RecentStats()
        let many = Array(repeating: Weir_Admin_V1_BackendStats(), count: RecentStats.maxLines / 2)
        for span in 1...3 {
            recent.add(
                Weir_Admin_V1_Stats(backends: many, revision: UInt64(span)),
                figures: ServingFigures(), at: Self.start + .seconds(span))
        }
        #expect(recent.since(Self.start, endpoint: "").map(\.revision) == [2, 3])
    }
}
