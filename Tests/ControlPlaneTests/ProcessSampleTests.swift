internal import Testing

@testable internal import ControlPlane

@Suite struct ProcessSampleTests {
    /// A line of proc_pid_stat(5), whose program has an unusual name.
    static let stat = Array(
        """
        7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 2 0 250 50 9 9 20 0 3 0 4200 8388608 512 \
        18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0

        """.utf8)

    @Test("The values are those of the kernel's line")
    func parses() throws {
        let sample = try #require(ProcessSample(stat: Self.stat))
        #expect(sample.cpuTicks == 300)
        #expect(sample.threads == 3)
        #expect(sample.startTicks == 4_200)
        #expect(sample.virtualBytes == 8_388_608)
        #expect(sample.residentPages == 512)
        #expect(sample.residentBytes >= 512 * 4_096)
    }

    @Test("A prefix of the line is rejected, or has all values")
    func parsesPrefixes() {
        for count in Self.stat.indices {
            let sample = ProcessSample(stat: Self.stat.prefix(count))
            #expect(sample == nil || sample?.threads == 3)
        }
    }

    @Test(
        "Other texts are rejected",
        arguments: [
            "", ")", "7 (a) ", "7 (a) S 1 2 3",
            "7 (a) S " + String(repeating: "-1 ", count: 50),
            "7 (a) S " + String(repeating: "18446744073709551616 ", count: 50),
            "7 (a) S " + String(repeating: "1e3 ", count: 50),
        ])
    func rejects(text: String) {
        #expect(ProcessSample(stat: Array(text.utf8)) == nil)
    }

    @Test("The largest numbers do not trap")
    func boundsNumbers() throws {
        let text = "7 (a) S " + String(repeating: "18446744073709551615 ", count: 50)
        let sample = try #require(ProcessSample(stat: Array(text.utf8)))
        #expect(sample.cpuSeconds > 0)
        #expect(sample.residentBytes % 4_096 == 0)
        #expect(sample.startSeconds ?? 1 > 0)
    }

    @Test(
        "The boot time is read from its line",
        arguments: [
            ("cpu 1 2\nbtime 1700000000\nprocesses 5\n", 1_700_000_000), ("btime 5", 5),
            ("", nil), ("btime", nil), ("btime x\n", nil), ("xbtime 5\n", nil),
        ] as [(String, UInt64?)])
    func readsBootTime(text: String, seconds: UInt64?) {
        #expect(ProcessSample.bootSeconds(in: Array(text.utf8)) == seconds)
    }

    @Test("This process has threads, memory and files, and has started")
    func readsItself() throws {
        let sample = try #require(ProcessSample.read())
        #expect(sample.threads > 0 && sample.residentBytes > 0 && sample.virtualBytes > 0)
        let (open, most) = (try #require(sample.openFiles), try #require(sample.maxFiles))
        #expect(open > 2 && open <= most)
        #expect(try #require(sample.startSeconds) > 1_600_000_000)
    }
}
