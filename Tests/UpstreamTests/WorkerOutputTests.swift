internal import Logging
internal import Synchronization
internal import TestSupport
internal import Testing

@testable internal import Upstream

@Suite struct OutputBudgetTests {
    private static let second: UInt64 = 1_000_000_000

    /// The number of lines of a size that are admitted at the given times.
    private func admitted(bytes: Int, count: Int, _ time: (Int) -> UInt64) -> Int {
        var budget = OutputBudget(at: 0)
        return (0..<count).count { budget.admits(bytes: bytes, at: time($0)) }
    }

    @Test("A burst of lines and bytes is admitted at once")
    func admitsBursts() {
        #expect(admitted(bytes: 1, count: 2_000) { _ in 0 } == 1_000)
        #expect(admitted(bytes: 4_096, count: 2_000) { _ in 0 } == 64)
        #expect(admitted(bytes: 256 << 10, count: 2) { _ in 0 } == 1)
        #expect(admitted(bytes: (256 << 10) + 1, count: 2) { _ in 0 } == 0)
    }

    @Test("Continuous output is admitted up to the rate")
    func rates() {
        // A million lines in ten seconds.
        let lines = admitted(bytes: 10, count: 1_000_000) { UInt64($0) * 10_000 }
        #expect((2_999...3_001).contains(lines))
        let long = admitted(bytes: 4_096, count: 100_000) { UInt64($0) * 100_000 }
        #expect((223...225).contains(long))
    }

    @Test("A worker with little output is never limited, even if the clock is set back")
    func admitsLittleOutput() {
        #expect(admitted(bytes: 300, count: 10_000) { UInt64($0) * Self.second / 100 } == 10_000)
        #expect(admitted(bytes: 1, count: 100) { $0 % 2 == 0 ? .max : 0 } == 100)
    }
}

@Suite struct EnvironmentMaskTests {
    @Test(
        "Values of the environment are masked",
        arguments: [
            ([:], "token=hunter22", "token=hunter22"), (["T": "hunter22"], "hunter2", "hunter2"),
            (["T": "hunter22"], "T=hunter22hunter22.", "T=<masked><masked>."),
            (["A": "12345", "B": "123456"], "12345 123456", "12345 <masked>"),
            (["A": "secret", "B": "secret-of-b"], "secret-of-b secret", "<masked> <masked>"),
            (["KEY": "BEGIN KEY\nMIIEabc\nEND"], "read MIIEabc", "read <masked>"),
            (["A": ""], "a", "a"), (["A": "<masked>"], "<masked>", "<masked>"),
        ] as [([String: String], String, String)])
    func masks(environment: [String: String], line: String, shown: String) {
        #expect(EnvironmentMask(environment).apply(to: line) == shown)
    }
}

@Suite(.timeLimit(.minutes(1))) struct WorkerOutputTests {
    private final class Recorder: Sendable {
        let lines = Mutex<[String]>([])

        var log: Logger { Logger(label: "test") { _ in Handler(recorder: self) } }

        struct Handler: LogHandler {
            let recorder: Recorder
            var logLevel = Logger.Level.trace
            var metadata: Logger.Metadata = [:]

            subscript(metadataKey key: String) -> Logger.Metadata.Value? {
                get { metadata[key] }
                set { metadata[key] = newValue }
            }

            func log(event: LogEvent) {
                let count = event.metadata?["count"].map { " \($0)" } ?? ""
                recorder.lines.withLock { $0.append("\(event.message)\(count)") }
            }
        }
    }

    private static let note = "omitted lines of the worker's output: it exceeds the limit"

    @Test("Lines are logged without control characters, and the last one is kept")
    func escapes() {
        let recorder = Recorder()
        let output = WorkerOutput(log: recorder.log)
        #expect(output.append(Array("\u{1b}[31mred\r over\n\n  \nlast\0".utf8)) == nil)
        output.finish()
        let expected = ["\\u{1B}[31mred\\r over", "", "  ", "last\\0"]
        #expect(recorder.lines.withLock { $0 } == expected)
        #expect(output.lastLine == "last\\0")
    }

    @Test("Too many lines are omitted, and their number is logged")
    func omits() {
        let recorder = Recorder()
        let output = WorkerOutput(log: recorder.log)
        let pause = output.append(Array(String(repeating: "x\n", count: 5_000).utf8))
        #expect(pause ?? .zero >= .milliseconds(10))
        _ = output.append(Array("the end\n".utf8))
        output.finish()
        let lines = recorder.lines.withLock { $0 }
        #expect(lines.count(where: { $0 == "x" }) >= 1_000)
        #expect(lines.count < 2_000)
        let omitted = lines.filter { $0.hasPrefix(Self.note) }.compactMap {
            $0.split(separator: " ").last.flatMap { Int($0) }
        }
        let shown = lines.count { !$0.hasPrefix(Self.note) }
        #expect(omitted.reduce(0, +) + shown == 5_001)
        #expect(output.lastLine == "the end")
    }

    @Test("The number of omitted lines is logged even if the worker then writes nothing")
    func logsOmissions() async throws {
        let recorder = Recorder()
        let output = WorkerOutput(log: recorder.log)
        _ = output.append(Array(String(repeating: "x\n", count: 1_500).utf8))
        #expect(
            await eventually {
                recorder.lines.withLock { $0.last?.hasPrefix(Self.note) == true }
            })
    }
}
