internal import Foundation
internal import Logging
internal import Observability
internal import Testing
internal import Traces

@testable internal import Logs

/// The writer on files and pipes that fail.
@Suite(.timeLimit(.minutes(1))) struct AccessLogTests {
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "weir-access-log-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private static func call(_ number: Int) -> CallRecord {
        var call = CallRecord()
        call.revision = UInt64(number)
        call.method = "/p.S/M"
        return call
    }

    private func log(_ path: String, maxLines: Int = 1_000) -> AccessLog {
        AccessLog(
            .file(path), .json, maxLines: maxLines,
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func append(_ numbers: Range<Int>, to log: AccessLog) {
        for number in numbers { log.queue.append(Self.call(number)) }
    }

    /// The revisions of the lines of a file, each of which must be whole.
    private func lines(_ path: String) throws -> [Int] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return object?["revision"] as? Int ?? 0
        }
    }

    @Test("Lines are appended in order, and a new file has the mode 0640")
    func order() throws {
        let path = folder.appending(path: "log").path
        for start in [1, 301] {
            let log = log(path)
            log.open()
            append(start..<start + 300, to: log)
            log.flush()
            #expect(log.written == 300)
            #expect(log.lost == 0)
        }
        #expect(try lines(path) == Array(1...600))
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        // The mask of the process may remove more.
        #expect((attributes[.posixPermissions] as? Int ?? 0o777) & ~0o640 == 0)
    }

    @Test("After a renaming, the old file gets lines until the log is opened again")
    func rotation() throws {
        let path = folder.appending(path: "log").path
        let log = log(path)
        append(1..<3, to: log)
        log.flush()
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        append(3..<5, to: log)
        log.flush()
        log.open()
        log.flush()
        append(5..<7, to: log)
        log.flush()
        #expect(try lines(path + ".1") == [1, 2, 3, 4])
        #expect(try lines(path) == [5, 6])
        #expect(log.lost == 0)
    }

    @Test("A folder that was removed keeps the open file; a missing one loses lines")
    func removedFolder() throws {
        let inner = folder.appending(path: "inner")
        try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
        let path = inner.appending(path: "log").path
        let log = log(path)
        append(1..<2, to: log)
        log.flush()
        try FileManager.default.removeItem(at: inner)
        log.open()
        log.flush()
        append(2..<4, to: log)
        log.flush()
        #expect(log.written == 3)
        let other = self.log(path)
        other.open()
        append(1..<4, to: other)
        other.flush()
        #expect(other.lost == 3)
        try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
        other.open()
        other.flush()
        append(4..<5, to: other)
        other.flush()
        #expect(try lines(path) == [4])
        #expect(other.lost == 3)
    }

    @Test(
        "A file that cannot be written loses lines, which are counted",
        arguments: ["/dev/full", "/", "/dev/null/log", "", "/proc/version"])
    func unwritable(_ path: String) {
        let log = log(path)
        log.open()
        append(1..<400, to: log)
        log.flush()
        #expect(log.lost == 399)
        #expect(log.written == 0)
    }

    @Test("A slow reader of a pipe loses the lines beyond the bound, and no whole line is torn")
    func slowReader() throws {
        let path = folder.appending(path: "pipe").path
        #expect(unsafe mkfifo(path, 0o600) == 0)
        let log = log(path, maxLines: 100)
        // Without a reader, the pipe cannot be opened.
        log.open()
        append(1..<3, to: log)
        log.flush()
        #expect(log.lost == 2)
        let reader = unsafe open(path, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        log.open()
        let sent = 20_000
        append(3..<3 + sent, to: log)
        #expect(log.lost >= UInt64(sent / 2))
        var text: [UInt8] = []
        while log.written + log.lost < UInt64(sent) + 2 {
            var bytes = [UInt8](repeating: 0, count: 65_536)
            // Invariant: the call writes at most as many bytes as the buffer has.
            let count = unsafe read(reader, &bytes, bytes.count)
            text += bytes.prefix(max(0, count))
        }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        // Invariant: as above.
        let count = unsafe read(reader, &bytes, bytes.count)
        text += bytes.prefix(max(0, count))
        let copy = folder.appending(path: "copy").path
        try Data(text).write(to: URL(fileURLWithPath: copy))
        let whole = try lines(copy).count
        #expect(UInt64(whole) == log.written)
    }

    @Test("A pipe whose reader has ended loses lines, and is opened again for the next reader")
    func closedReader() throws {
        let path = folder.appending(path: "pipe").path
        #expect(unsafe mkfifo(path, 0o600) == 0)
        // As `weir serve` does.
        signal(SIGPIPE) { _ in }
        let log = log(path)
        let first = unsafe open(path, O_RDONLY | O_NONBLOCK)
        append(1..<2, to: log)
        log.flush()
        #expect(log.written == 1)
        close(first)
        append(2..<4, to: log)
        log.flush()
        #expect(log.lost == 2)
        let second = unsafe open(path, O_RDONLY | O_NONBLOCK)
        defer { close(second) }
        log.open()
        log.flush()
        append(4..<5, to: log)
        log.flush()
        #expect(log.written == 2)
    }
}
