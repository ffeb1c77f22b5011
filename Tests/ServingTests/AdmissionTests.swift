internal import GRPCWire
internal import Observability
internal import Testing

@testable internal import Serving

@Suite struct AdmissionTests {
    private func admission() -> Admission {
        Admission(
            .init(
                requestsInFlight: 2, blockingCalls: 1, bufferedBytes: 100, queueingDelay: 1_000_000)
        )
    }

    @Test("Requests are admitted up to the limit, and again after one has ended")
    func limitsRequests() {
        var admission = admission()
        for _ in 0..<2 {
            #expect(admission.refusal(delay: nil, otherBytes: 0) == nil)
            admission.requestBegan()
        }
        let error = admission.refusal(delay: nil, otherBytes: 0)
        #expect(error?.code == .resourceExhausted)
        #expect(error?.message == "2 requests are in flight")
        admission.requestEnded()
        #expect(admission.refusal(delay: nil, otherBytes: 0) == nil)
        #expect(admission.refused == [.requests: 1])
    }

    @Test("A delayed loop refuses requests, and names the delay")
    func limitsDelay() {
        var admission = admission()
        let error = admission.refusal(delay: 1_500_000_000, otherBytes: 0)
        #expect(error?.message == "the event loop is delayed by 1500 ms")
        #expect(admission.refused == [.delay: 1])
    }

    @Test("Buffered bytes count up to the limit, with those of other counters")
    func limitsMemory() {
        var admission = admission()
        #expect(admission.hold(60, otherBytes: 40) == nil)
        #expect(admission.hold(1, otherBytes: 40) != nil)
        #expect(admission.refusal(delay: nil, otherBytes: 40) != nil)
        // The release of bytes is never refused.
        #expect(admission.hold(-1, otherBytes: 1_000) == nil)
        #expect(admission.refusal(delay: nil, otherBytes: 40) == nil)
        #expect(admission.heldBytes == 60)
        #expect(admission.refused == [.memory: 2])
    }

    @Test("Blocking handlers have a limit, and a limit of their delay")
    func limitsBlocking() {
        var admission = admission()
        #expect(admission.beginBlocking(delay: 1_000_001)?.code == .resourceExhausted)
        #expect(admission.beginBlocking(delay: 1_000_000) == nil)
        #expect(admission.beginBlocking(delay: nil)?.code == .resourceExhausted)
        admission.endBlocking()
        #expect(admission.beginBlocking(delay: nil) == nil)
        #expect(admission.refused == [.delay: 1, .blocking: 1])
    }
}
