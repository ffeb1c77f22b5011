internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import Observability
internal import Testing

@testable internal import ControlPlane
@testable internal import Serving

@Suite struct ShadowFindingsTests {
    /// Figures with the given numbers of equal pairs and of pairs that differ in the given fields.
    private func figures(
        equal: UInt64, _ differing: [(fields: [String], count: Int)] = [],
        drops: [ShadowDrop: Int] = [:], p99: (primary: UInt64, shadow: UInt64) = (1_000, 1_000)
    ) -> (ShadowFigures, DifferenceLedger.Content) {
        var figures = ShadowFigures()
        let ledger = DifferenceLedger(at: 0)
        let account = ShadowAccount(.init(endpoint: "e", backend: "b"), at: 0)
        let pair = ResponsePair(
            account: account, epoch: 0, method: "/p.S/M", metadata: { Metadata() },
            primary: .init(), shadow: .init(), heldBytes: 0)
        func count(_ isEqual: Bool) {
            figures.select()
            figures.pair(
                .init(primary: .ok, shadow: .ok), primary: p99.primary, shadow: p99.shadow,
                isEqual: isEqual)
        }
        for _ in 0..<equal { count(true) }
        for (fields, number) in differing {
            for _ in 0..<number {
                count(false)
                ledger.add(
                    fields.map { .init(path: $0, place: $0, left: "1", right: "2") }, of: pair,
                    ComparisonRules(), at: 0)
            }
        }
        for (reason, number) in drops {
            for _ in 0..<number {
                figures.select()
                figures.drop(reason)
            }
        }
        return (figures, ledger.entries)
    }

    private func findings(
        _ own: (ShadowFigures, DifferenceLedger.Content),
        noise: (ShadowFigures, DifferenceLedger.Content)? = nil, allowed: Double = 0.001
    ) -> ShadowFindings {
        ShadowFindings(
            own.0, own.1, noise: noise?.0 ?? .init(), noise?.1 ?? .init(), allowedShare: allowed)
    }

    @Test("Too few responses have no verdict", arguments: [(99, false), (100, true)])
    func requiresEnoughResponses(_ count: UInt64, _ isEnough: Bool) {
        let found = findings(figures(equal: count))
        #expect((found.verdict == .fit) == isEnough)
        #expect(found.verdict.isBad == false)
        #expect(
            found.explanation
                == (isEnough
                    ? "FIT: 100.00 % of 100 responses agree; p99 is the same"
                    : "TOO FEW: 99 responses compared, at least 100 are needed"))
    }

    @Test("Responses may differ up to the allowed share", arguments: [(10, false), (11, true)])
    func allows(_ differing: Int, _ isBad: Bool) {
        let found = findings(
            figures(equal: UInt64(1_000 - differing), [(["a"], differing)]), allowed: 0.01)
        #expect(found.verdict.isBad == isBad)
        #expect(found.differingBeyondNoise == UInt64(differing))
        if isBad {
            #expect(
                found.explanation
                    == "DIFFERS: 1.10 % of 1000 responses, most often in a; allowed: 1.00 %")
        }
    }

    @Test("Noise is subtracted from each response")
    func subtractsNoise() {
        let own = figures(
            equal: 0, [(["time"], 900), (["time", "price"], 60), (["price"], 40)])
        let found = findings(own, noise: figures(equal: 10, [(["time"], 190)]))
        #expect(found.differing == 1_000 && found.differingBeyondNoise == 100)
        #expect(found.fields.map(\.isNoise) == [true, false])
        #expect(found.noiseCompared == 200)
        #expect(found.fields[0].noiseShare == 0.95)
        #expect(found.verdict == .differs)
        let clean = findings(
            figures(equal: 0, [(["time"], 200)], p99: (1_000, 1_500)),
            noise: figures(equal: 0, [(["time"], 200)]))
        #expect(
            clean.explanation
                == "FIT: 100.00 % of 200 responses agree, ignoring noise; p99 is 50 % slower")
    }

    @Test(
        "A field is noise only if it differs about as often without a cause",
        arguments: [
            // Shares of a thousand, and whether that is noise.
            (500, 500, true), (500, 400, true), (500, 300, false), (500, 0, false),
            (10, 1_000, true), (1, 1, true),
        ])
    func classifiesFields(_ own: Int, _ noise: Int, _ isNoise: Bool) {
        let found = findings(
            figures(equal: UInt64(1_000 - own), [(["a"], own)]),
            noise: figures(equal: UInt64(1_000 - noise), [(["a"], noise)]))
        #expect(found.fields[0].isNoise == isNoise)
    }

    @Test(
        "A few second responses do not prove noise", arguments: [(9, false), (10, true)])
    func requiresEnoughNoise(_ count: Int, _ isNoise: Bool) {
        let found = findings(
            figures(equal: 0, [(["a"], 100)]), noise: figures(equal: 0, [(["a"], count)]))
        #expect(found.fields[0].isNoise == isNoise)
    }

    @Test("Copies without a response in time count against the backend")
    func countsLate() {
        let found = findings(figures(equal: 900, drops: [.deadline: 60, .slow: 40]))
        #expect(found.verdict == .late && found.verdict.isBad)
        #expect(found.explanation == "LATE: 10.00 % of the copies had no response in time")
    }

    @Test("An unreachable backend is not fit")
    func seesUnreachable() {
        #expect(findings(figures(equal: 50, drops: [.noReplica: 100])).verdict == .unreachable)
        #expect(findings(figures(equal: 50, drops: [.noReplica: 99])).verdict == .tooFew)
    }

    @Test("Dropped copies are mentioned if they are many")
    func mentionsDrops() {
        let found = findings(figures(equal: 150, drops: [.inFlight: 50]))
        #expect(
            found.explanation
                == "FIT: 100.00 % of 150 responses agree; p99 is the same; "
                + "25.00 % of the copies were dropped"
        )
    }
}
