internal import Testing

@testable internal import Upstream

@Suite struct OwnProcessesTests {
    @Test("A process is reaped unless it is Weir's own or a process is being started")
    func claims() {
        let processes = OwnProcesses()
        #expect(processes.claim(7) == .reap)
        let child = processes.begin()
        #expect(processes.claim(7) == .leave)
        child.started(7)
        #expect(processes.claim(7) == .leave)
        #expect(processes.claim(8) == .reap)
        let unstarted = processes.begin()
        #expect(processes.claim(8) == .leave)
        unstarted.ended()
        #expect(processes.claim(8) == .reap)
        child.ended()
        #expect(processes.claim(7) == .reap)
    }
}
