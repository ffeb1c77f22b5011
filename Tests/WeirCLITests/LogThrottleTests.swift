internal import Testing

@testable internal import WeirCLI

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
        #expect(throttle.ended(at: window - 1).isEmpty)
        var report = entry()
        report.fields.append(.init(name: "repeated", value: "7"))
        #expect(throttle.ended(at: window) == [report])
        #expect(throttle.nextEnd == nil)
        #expect(throttle.admits(entry(), at: window + 1))
    }

    @Test("Without repeated lines, the end reports none", arguments: [1, LogThrottle.burst])
    func rare(count: Int) {
        var throttle = LogThrottle()
        for _ in 0..<count { #expect(throttle.admits(entry(), at: 0)) }
        #expect(throttle.ended(at: .max).isEmpty)
    }

    @Test("Lines that differ are not limited")
    func differ() {
        var throttle = LogThrottle()
        for number in 0..<1_000 {
            #expect(throttle.admits(entry("m", "\(number)"), at: 0))
            #expect(throttle.admits(entry("\(number)"), at: 0))
        }
    }

    @Test("As many lines are compared as the bound, and further ones are written")
    func bound() {
        var throttle = LogThrottle()
        for number in 0..<LogThrottle.maxLines { _ = throttle.admits(entry("\(number)"), at: 0) }
        for _ in 0..<10 { #expect(throttle.admits(entry("further"), at: 0)) }
        let last = entry("\(LogThrottle.maxLines - 1)")
        #expect(
            (0..<10).filter { _ in throttle.admits(last, at: 0) }.count == LogThrottle.burst - 1)
        #expect(throttle.ended(at: window).count == 1)
        #expect((0..<10).filter { _ in throttle.admits(entry("further"), at: 0) }.count == 3)
    }

    @Test("A clock at its maximum ends the windows")
    func clock() {
        var throttle = LogThrottle()
        for _ in 0..<9 { _ = throttle.admits(entry(), at: .max) }
        #expect(throttle.nextEnd == .max)
        #expect(throttle.ended(at: .max).count == 1)
    }
}
