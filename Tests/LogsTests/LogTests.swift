internal import Foundation
internal import Testing
internal import Transport

@testable internal import Logs

@Suite struct LogLineTests {
    private func text(
        _ message: String, _ fields: [(String, String)] = [], _ format: LogFormat = .text
    ) -> String {
        var line = LogLine(format)
        let bytes = line.bytes(
            LogEntry(
                level: "notice", label: "weir", message: message,
                fields: fields.map { .init(name: $0.0, value: $0.1) }), at: 0)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(
        "A line has the time, the level, the logger, the message and the fields",
        arguments: [
            (
                .text,
                #"1970-01-01T00:00:00.000Z notice weir: not ready a=1 b="x y" "#
                    + #"c="" d="\"\\" e="k=v" f="a\nb""#
            ),
            (
                .logfmt,
                #"time=1970-01-01T00:00:00.000Z level=notice logger=weir msg="not ready" a=1 "#
                    + #"b="x y" c="" d="\"\\" e="k=v" f="a\nb""#
            ),
            (
                .json,
                #"{"time":"1970-01-01T00:00:00.000Z","level":"notice","logger":"weir","#
                    + #""message":"not ready","a":"1","b":"x y","c":"","d":"\"\\","#
                    + #""e":"k=v","f":"a\nb"}"#
            ),
        ] as [(LogFormat, String)])
    func form(format: LogFormat, line: String) {
        let fields = [
            ("a", "1"), ("b", "x y"), ("c", ""), ("d", "\"\\"), ("e", "k=v"), ("f", "a\nb"),
        ]
        #expect(text("not ready", fields, format) == line + "\n")
    }

    @Test(
        "One event is one line without control characters",
        arguments: LogFormat.allCases,
        [
            "a\nb", "\r", "\u{1b}[2J", "\u{9b}", "\u{85}", "\u{2028}", "\u{202e}", "\u{0}",
            "\u{7f}", "\u{feff}", "\u{e0001}", "\u{ad}",
        ])
    func escapes(format: LogFormat, control: String) throws {
        for line in [text("m\(control)", [], format), text("m", [("f", "v\(control)")], format)] {
            let scalars = line.unicodeScalars.dropLast()
            #expect(line.hasSuffix("\n"))
            #expect(!scalars.contains { $0.properties.generalCategory == .control })
            #expect(!scalars.contains { $0.properties.isDefaultIgnorableCodePoint })
            #expect(line.split(whereSeparator: \.isNewline).count == 1)
        }
        let json = text("m\(control)", [("f", control)], .json)
        let members = try JSONDecoder().decode([String: String].self, from: Data(json.utf8))
        #expect(members["message"] == "m\(control)")
        #expect(members["f"] == control)
    }

    @Test(
        "A line with its line end is at most as long as the limit", arguments: [-1, 0, 1])
    func bounds(offset: Int) {
        let empty = text("").utf8.count
        let line = text(String(repeating: "x", count: LogLine.maxBytes - empty + offset))
        #expect(line.utf8.count == min(LogLine.maxBytes, LogLine.maxBytes + offset))
        #expect(line.hasSuffix(offset > 0 ? "…\n" : "x\n"))
    }

    @Test("A line of any format is bounded, and cut JSON is valid", arguments: LogFormat.allCases)
    func cuts(format: LogFormat) throws {
        for part in ["x", "\n", "\"", "é", "\u{202e}"] {
            let long = String(repeating: part, count: 1 << 14)
            let many = (0..<100).map { ("name\($0)", String(long.prefix(100))) }
            for (message, fields) in [
                (long, []), ("", [("f", long)]), (long, many), ("", many), ("", [(long, "")]),
            ] {
                let line = text(message, fields, format)
                #expect(line.utf8.count <= LogLine.maxBytes)
                guard format == .json else { continue }
                let members = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
                #expect(members["level"] == "notice")
            }
        }
    }

    @Test("A field cannot have the name of another part of the line")
    func names() {
        let fields = [
            ("time", "1"), ("message", "2"), ("truncated", "3"), ("", "4"), ("a b=", "5"),
        ]
        #expect(
            text("m", fields, .json).hasSuffix(
                #","time_":"1","message_":"2","truncated_":"3","_":"4","a_b_":"5"}"# + "\n"))
        #expect(text("m", [("msg", "1")], .logfmt).hasSuffix(" msg=m msg_=1\n"))
    }
}

@Suite(.timeLimit(.minutes(1))) struct LogWriterTests {
    init() { signal(SIGPIPE) { _ in } }

    /// Calls the body with a pipe, and closes it afterwards.
    private func withPipe(_ body: (_ read: Int32, _ write: Int32) throws -> Void) rethrows {
        var ends: [Int32] = [-1, -1]
        // Invariant: the call writes two numbers, and the array has room for two.
        #expect(unsafe pipe(&ends) == 0)
        defer { ends.forEach { _ = close($0) } }
        try body(ends[0], ends[1])
    }

    private func content(of descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        // Invariant: the call writes at most as many bytes as the buffer has.
        let count = unsafe read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    @Test("Lines are written in order")
    func order() {
        withPipe { read, write in
            let log = LogWriter(OutputDescriptor(number: write))
            for number in 0..<100 { log.write("\(number)\n") }
            log.flush()
            #expect(log.lost == 0)
            #expect(log.waitingLines == 0)
            #expect(content(of: read) == (0..<100).map { "\($0)\n" }.joined())
        }
    }

    @Test("A pipe without a reader loses lines, which are counted", .timeLimit(.minutes(1)))
    func closedPipe() {
        var ends: [Int32] = [-1, -1]
        // Invariant: the call writes two numbers, and the array has room for two.
        #expect(unsafe pipe(&ends) == 0)
        close(ends[0])
        defer { close(ends[1]) }
        let log = LogWriter(OutputDescriptor(number: ends[1]))
        for _ in 0..<3 { log.write("lost\n") }
        log.flush()
        #expect(log.lost == 3)
    }

    @Test(
        "After a full disk and a closed descriptor, the log continues with the number of lost lines"
    )
    func recovers() {
        withPipe { read, write in
            let full = unsafe open("/dev/full", O_WRONLY)
            let log = LogWriter(OutputDescriptor(number: full))
            log.write("lost\n")
            log.write("lost\n")
            log.flush()
            #expect(log.lost == 2)
            #expect(dup2(write, full) == full)
            log.write("kept\n")
            log.flush()
            let lines = content(of: read).split(separator: "\n")
            #expect(lines.count == 2)
            #expect(
                lines.first?.hasSuffix(
                    "warning weir: log lines were lost count=2 reason=\"No space left on device\""
                )
                    == true)
            #expect(lines.last == "kept")
            close(full)
            log.write("lost\n")
            log.flush()
            #expect(log.lost == 3)
        }
    }

    @Test(
        "Lines beyond the capacity are lost without a reader, and a partial line gets its line end")
    func bound() {
        withPipe { read, write in
            let log = LogWriter(OutputDescriptor(number: write))
            let long = String(repeating: "x", count: 65_536) + "\n"
            // The pipe has room for one such line; the writer waits with the second one.
            for _ in 0..<(LogWriter.maxWaitingLines + 10) { log.write(long) }
            #expect(log.lost >= 8)
            #expect(log.waitingLines <= LogWriter.maxWaitingLines)
            _ = fcntl(read, F_SETFL, O_NONBLOCK)
            while log.waitingLines > 0 { _ = content(of: read) }
            log.write("kept\n")
            // The last long line can still be in the pipe.
            var end = ""
            while end != "kept\n" { end = String((end + content(of: read)).suffix(5)) }
            log.flush()
            #expect(log.waitingLines == 0)
        }
    }

    @Test("The writer waits for a non-blocking descriptor")
    func nonBlocking() {
        withPipe { read, write in
            _ = fcntl(write, F_SETFL, O_NONBLOCK)
            let log = LogWriter(OutputDescriptor(number: write))
            let long = String(repeating: "x", count: 100_000) + "\n"
            for _ in 0..<3 { log.write(long) }
            var count = 0
            while count < 300_003 { count += content(of: read).utf8.count }
            log.flush()
            #expect(log.lost == 0)
        }
    }
}

extension LogWriter {
    fileprivate func write(_ line: String) { write(Array(line.utf8)) }
}
