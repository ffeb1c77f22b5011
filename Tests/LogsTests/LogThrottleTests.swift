internal import Testing

@testable internal import Logs

@Suite struct LogThrottleTests {
    private let window = LogThrottle.windowNanoseconds

    private func entry(_ message: String = "m", _ value: String = "v") -> LogEntry {
        LogEntry(
            level: "info", label: "weir", message: message,
            fields: [.init(name: "f", value: value)])
    }

    @Test("The first lines of a window are written, and the others are reported at its end")
    func repeats() {
        var throttle = LogThrottle()
        let written = (0..<10).filter { throttle.admits(entry(), at: UInt64($0)) }
        #expect(written == [0, 1, 2])
        #expect(throttle.nextEnd == window)
        let early = throttle.ended(at: window - 1)
        #expect(early.isEmpty)
        var report = entry()
        report.fields.append(.init(name: "repeated", value: "7"))
        let reports = throttle.ended(at: window)
        #expect(reports == [report])
        #expect(throttle.nextEnd == nil)
        let next = throttle.admits(entry(), at: window + 1)
        #expect(next)
    }

    @Test("Without repeated lines, the end reports none", arguments: [1, LogThrottle.burst])
    func rare(count: Int) {
        var throttle = LogThrottle()
        let written = (0..<count).filter { _ in throttle.admits(entry(), at: 0) }
        #expect(written.count == count)
        let reports = throttle.ended(at: .max)
        #expect(reports.isEmpty)
    }

    @Test("Lines that differ are not limited")
    func differ() {
        var throttle = LogThrottle()
        let written = (0..<1_000).filter { number in
            throttle.admits(entry("m", "\(number)"), at: 0)
                && throttle.admits(entry("\(number)"), at: 0)
        }
        #expect(written.count == 1_000)
    }

    @Test("As many lines are compared as the bound, and further ones are written")
    func bound() {
        var throttle = LogThrottle()
        for number in 0..<LogThrottle.maxLines { _ = throttle.admits(entry("\(number)"), at: 0) }
        let beyond = (0..<10).filter { _ in throttle.admits(entry("further"), at: 0) }
        #expect(beyond.count == 10)
        let last = entry("\(LogThrottle.maxLines - 1)")
        let again = (0..<10).filter { _ in throttle.admits(last, at: 0) }
        #expect(again.count == LogThrottle.burst - 1)
        let reports = throttle.ended(at: window)
        #expect(reports.count == 1)
        let further = (0..<10).filter { _ in throttle.admits(entry("further"), at: 0) }
        #expect(further.count == LogThrottle.burst)
    }

    @Test("A clock at its maximum ends the windows")
    func clock() {
        var throttle = LogThrottle()
        for _ in 0..<9 { _ = throttle.admits(entry(), at: .max) }
        #expect(throttle.nextEnd == .max)
        let reports = throttle.ended(at: .max)
        #expect(reports.count == 1)
    }
}
