internal import GRPCWire
internal import Logging
package import Observability
internal import Synchronization
package import Traces

/// Exports records of one kind in batches, in the background.
///
/// ```
///   queue (bounded) --batch full, or interval over--> request --> collector
///     '-- full: dropped                  ^               |
///                                        '----- wait ----' retry
/// ```
package final class Exporter<Record: Sendable>: Sendable {
    /// What an exporter does outside of its state.
    struct Surroundings: Sendable {
        /// The bytes of a request.
        var encode: @Sendable ([Record]) -> [UInt8]
        /// Sends a request, and returns the answer within a bounded time.
        var send: @Sendable ([UInt8]) async -> ExportAnswer
        /// Waits; throws when the task is cancelled.
        var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
        /// 0 to 1.
        var random: @Sendable () -> Double = { .random(in: 0...1) }
    }

    private struct State {
        var figures = ExportFigures()
        /// Whether the interval is over.
        var isDue = false
        /// Whether the server stops: each batch gets one attempt.
        var isEnding = false
        var tasks: [Task<Void, Never>] = []
        /// The wait before a retry.
        var pause: Task<Void, Never>?
    }

    /// Receives the records. Appending never waits for the collector.
    package let queue: BoundedQueue<Record>
    private let name: String
    private let batch: Int
    private let interval: Duration
    private let surroundings: Surroundings
    private let log: Logger
    private let state = Mutex(State())
    private let bell: AsyncStream<Void>.Continuation
    private let rings: AsyncStream<Void>

    /// - Parameter name: of the records, in the plural, for the log.
    init(
        _ name: String, _ bounds: OTLPSettings.Queue, _ surroundings: Surroundings, log: Logger
    ) {
        self.name = name
        batch = min(bounds.maxBatch, bounds.maxQueued)
        interval = bounds.interval
        self.surroundings = surroundings
        self.log = log
        (rings, bell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        queue = BoundedQueue(capacity: bounds.maxQueued)
        queue.notify(at: batch) { [bell] in bell.yield() }
    }

    /// The counts.
    package var figures: ExportFigures {
        state.withLock { state in
            var figures = state.figures
            figures.queueFull = queue.dropped
            figures.queued = queue.count
            return figures
        }
    }

    /// Begins to export.
    package func start() {
        let ticking = Task {
            while (try? await surroundings.sleep(interval)) != nil {
                state.withLock { $0.isDue = true }
                bell.yield()
            }
        }
        let exporting = Task {
            for await _ in rings {
                let isEnding = state.withLock(\.isEnding)
                await exportBatches()
                if isEnding { return }
            }
        }
        state.withLock { $0.tasks = [exporting, ticking] }
    }

    /// Exports what is in the queue, without retries, and stops.
    ///
    /// - Parameter limit: records that are not exported after this time are lost.
    package func stop(within limit: Duration) async {
        let (tasks, pause, before) = state.withLock { state in
            state.isEnding = true
            return (state.tasks, state.pause, state.figures.failed)
        }
        pause?.cancel()
        bell.yield()
        let sleep = surroundings.sleep
        let timer = Task {
            guard (try? await sleep(limit)) != nil else { return }
            tasks.first?.cancel()
        }
        await tasks.first?.value
        timer.cancel()
        for task in tasks { task.cancel() }
        let left = queue.take(upTo: .max).count
        let lost = state.withLock { state in
            state.figures.failed &+= UInt64(left)
            return state.figures.failed &- before
        }
        if lost > 0 {
            log.warning("\(name) were lost at the end", metadata: ["count": "\(lost)"])
        }
    }

    /// Exports the full batches, and also the rest if the interval is over or the server stops.
    private func exportBatches() async {
        let isDue = state.withLock { state in
            defer { state.isDue = false }
            return state.isDue || state.isEnding
        }
        while !Task.isCancelled, isDue || queue.count >= batch {
            let records = queue.take(upTo: batch)
            guard !records.isEmpty else { return }
            await export(records)
            let isHopeless = state.withLock { $0.isEnding && $0.figures.isUp == false }
            if isHopeless { return }
        }
    }

    /// Exports records in one request, or in several if they are too large for one.
    private func export(_ records: [Record]) async {
        let request = surroundings.encode(records)
        guard request.count > ExportLimits.maxRequestBytes else {
            return await deliver(request, count: UInt64(records.count))
        }
        guard records.count > 1 else {
            return state.withLock { $0.figures.tooLarge &+= 1 }
        }
        await export(Array(records[..<(records.count / 2)]))
        await export(Array(records[(records.count / 2)...]))
    }

    private func deliver(_ request: [UInt8], count: UInt64) async {
        var attempts = ExportAttempts()
        while true {
            let answer = await surroundings.send(request)
            switch attempts.ended(answer, random: surroundings.random()) {
            case .delivered(let rejected, let message):
                return delivered(count, rejected: min(rejected, count), message)
            case .failed(let reason):
                return failed(count, reason)
            case .retry(let delay, let reason):
                report(reason, isUp: false)
                let mayRetry = await pause(delay)
                guard mayRetry else { return failed(count, reason) }
            }
        }
    }

    /// Waits before a retry.
    ///
    /// - Returns: false if the server stops.
    private func pause(_ delay: Duration) async -> Bool {
        let pause: Task<Void, Never>? = state.withLock { state in
            guard !state.isEnding else { return nil }
            let pause = Task { [surroundings] in _ = try? await surroundings.sleep(delay) }
            state.pause = pause
            return pause
        }
        await pause?.value
        return state.withLock { state in
            state.pause = nil
            return !state.isEnding
        }
    }

    private func delivered(_ count: UInt64, rejected: UInt64, _ message: String) {
        report(nil, isUp: true)
        state.withLock { state in
            state.figures.exported &+= count - rejected
            state.figures.rejected &+= rejected
        }
        guard rejected > 0 || !message.isEmpty else { return }
        log.warning(
            "the collector accepted \(name) with a remark",
            metadata: ["rejected": "\(rejected)", "reason": "\(message.printable(limit: 200))"])
    }

    private func failed(_ count: UInt64, _ reason: String) {
        report(reason, isUp: false)
        state.withLock { $0.figures.failed &+= count }
    }

    /// Logs when the collector becomes unusable or usable, not each failure.
    private func report(_ reason: String?, isUp: Bool) {
        let before = state.withLock { state in
            defer { state.figures.isUp = isUp }
            return state.figures.isUp
        }
        // The first success is as expected.
        guard before ?? true != isUp else { return }
        if isUp {
            let lost = figures.dropped.reduce(0) { $0 &+ $1.count }
            log.notice("\(name) are exported again", metadata: ["lost": "\(lost)"])
        } else {
            log.warning(
                "\(name) are not exported",
                metadata: ["reason": "\((reason ?? "").printable(limit: 200))"])
        }
    }
}
