internal import GRPCWire
internal import Logging
internal import Observability
internal import Synchronization
internal import Testing
internal import Traces

@testable internal import OTLP

/// A collector that answers as a script says, and whose clock is the test's.
private final class Script: Sendable {
    private struct State {
        var answers: [ExportAnswer]
        var requests: [[Int]] = []
        var delays: [Duration] = []
    }

    private let state: Mutex<State>
    private let hangs: Bool

    init(_ answers: [ExportAnswer] = [], hangs: Bool = false) {
        state = Mutex(State(answers: answers))
        self.hangs = hangs
    }

    var requests: [[Int]] { state.withLock(\.requests) }
    var delays: [Duration] { state.withLock(\.delays) }

    /// Each record is a request of as many bytes; `tick` is the time for which records are kept.
    func exporter(
        _ queue: OTLPSettings.Queue, bytesPerRecord: Int = 1
    ) -> Exporter<Int> {
        Exporter(
            "records", queue,
            .init(
                encode: { records in
                    self.state.withLock { $0.requests.append(records) }
                    return [UInt8](repeating: 0, count: records.count * bytesPerRecord)
                },
                send: { _ in
                    if self.hangs { await Self.waitForCancellation() }
                    return self.state.withLock {
                        $0.answers.isEmpty
                            ? .accepted(rejected: 0, message: "") : $0.answers.removeFirst()
                    }
                },
                sleep: { duration in
                    self.state.withLock { $0.delays.append(duration) }
                    // A retry is at once; the interval and the time limit of the end never pass.
                    if duration >= Self.never { await Self.waitForCancellation() }
                    try Task.checkCancellation()
                }, random: { 1 }), log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    static let never = Duration.seconds(600)

    private static func waitForCancellation() async {
        for await _ in AsyncStream<Void>.makeStream().stream {}
    }
}

@Suite(.timeLimit(.minutes(1))) struct ExporterTests {
    private func queue(_ maxQueued: Int, batch: Int) -> OTLPSettings.Queue {
        var queue = OTLPSettings.Queue()
        (queue.maxQueued, queue.maxBatch, queue.interval) = (maxQueued, batch, Script.never)
        return queue
    }

    private func failure(_ code: StatusCode) -> ExportAnswer {
        .failed(code, reason: "why", retryDelay: nil)
    }

    @Test("The end exports all records in batches")
    func end() async {
        let script = Script()
        let exporter = script.exporter(queue(10, batch: 3))
        for number in 0..<8 { exporter.add([number]) }
        exporter.start()
        await exporter.stop(within: Script.never)
        #expect(script.requests == [[0, 1, 2], [3, 4, 5], [6, 7]])
        #expect(exporter.figures == ExportFigures(exported: 8))
    }

    @Test("A full batch is exported without a wait")
    func fullBatch() async {
        let script = Script()
        let exporter = script.exporter(queue(10, batch: 2))
        exporter.start()
        // No request has been sent.
        #expect(exporter.figures.isUp == nil)
        exporter.add([1, 2, 3])
        while exporter.figures.exported < 2 { await Task.yield() }
        #expect(script.requests == [[1, 2]])
        #expect(exporter.figures.queued == 1)
        await exporter.stop(within: Script.never)
        #expect(script.requests == [[1, 2], [3]])
    }

    @Test("Records over the bound are dropped and counted, and a batch is at most the queue")
    func bound() async {
        let script = Script()
        let exporter = script.exporter(queue(3, batch: 100))
        for number in 0..<5 { exporter.add([number]) }
        #expect(exporter.figures.queued == 3)
        exporter.start()
        await exporter.stop(within: Script.never)
        #expect(script.requests == [[0, 1, 2]])
        #expect(exporter.figures == ExportFigures(exported: 3, queueFull: 2))
    }

    @Test("A request is retried until it succeeds, and rejected records are not")
    func retries() async {
        let script = Script(
            [
                failure(.unavailable),
                .failed(.resourceExhausted, reason: "", retryDelay: .seconds(7)),
                .accepted(rejected: 9, message: "too old"),
            ])
        let exporter = script.exporter(queue(10, batch: 2))
        exporter.start()
        exporter.add([1, 2])
        while exporter.figures.rejected == 0 { await Task.yield() }
        // The collector reports more rejected records than it got.
        #expect(exporter.figures == ExportFigures(rejected: 2))
        #expect(script.requests == [[1, 2]])
        #expect(script.delays.filter { $0 < Script.never } == [.seconds(1), .seconds(7)])
        await exporter.stop(within: Script.never)
    }

    @Test("Records of a request that fails are lost, and the next request is sent")
    func fails() async {
        let script = Script([failure(.unimplemented)])
        let exporter = script.exporter(queue(10, batch: 2))
        exporter.start()
        exporter.add([1, 2])
        while exporter.figures.failed == 0 { await Task.yield() }
        #expect(exporter.figures == ExportFigures(failed: 2, isUp: false))
        exporter.add([3, 4])
        while exporter.figures.exported == 0 { await Task.yield() }
        #expect(exporter.figures == ExportFigures(exported: 2, failed: 2))
        await exporter.stop(within: Script.never)
    }

    @Test("The end makes one attempt, and none after a failure")
    func endWithoutCollector() async {
        let script = Script([failure(.unavailable)])
        let exporter = script.exporter(queue(10, batch: 3))
        exporter.start()
        for number in 0..<8 { exporter.add([number]) }
        await exporter.stop(within: Script.never)
        #expect(exporter.figures == ExportFigures(failed: 8, isUp: false))
        #expect(script.requests.count == 1)
    }

    @Test("The end does not wait for a collector that hangs")
    func endWhileHanging() async {
        let script = Script(hangs: true)
        let exporter = script.exporter(queue(10, batch: 2))
        exporter.start()
        exporter.add([1, 2, 3, 4, 5])
        while script.requests.isEmpty { await Task.yield() }
        await exporter.stop(within: .zero)
        #expect(exporter.figures.queued == 0)
    }

    @Test("A request that is too large is divided, and a record that is too large is dropped")
    func large() async {
        let script = Script()
        let half = script.exporter(
            queue(10, batch: 4), bytesPerRecord: ExportLimits.maxRequestBytes / 2)
        half.add([1, 2, 3, 4])
        half.start()
        await half.stop(within: Script.never)
        #expect(script.requests == [[1, 2, 3, 4], [1, 2], [3, 4]])
        #expect(half.figures == ExportFigures(exported: 4))
        for (bytes, figures) in [
            (ExportLimits.maxRequestBytes, ExportFigures(exported: 1)),
            (ExportLimits.maxRequestBytes + 1, ExportFigures(tooLarge: 1, isUp: nil)),
        ] {
            let one = Script().exporter(queue(10, batch: 4), bytesPerRecord: bytes)
            one.add([1])
            one.start()
            await one.stop(within: Script.never)
            #expect(one.figures == figures)
        }
    }
}

extension ExportFigures {
    fileprivate init(
        exported: UInt64 = 0, queueFull: UInt64 = 0, rejected: UInt64 = 0, failed: UInt64 = 0,
        tooLarge: UInt64 = 0, isUp: Bool? = true
    ) {
        self.init()
        (self.exported, self.queueFull, self.rejected) = (exported, queueFull, rejected)
        (self.failed, self.tooLarge, self.isUp) = (failed, tooLarge, isUp)
    }
}

extension Exporter {
    fileprivate func add(_ records: [Record]) {
        for record in records { queue.append(record) }
    }
}
