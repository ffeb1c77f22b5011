internal import CSystemFaults
internal import Foundation
internal import StateStores
internal import Synchronization

@testable internal import ControlPlane

/// A failure of a system call.
struct Fault {
    let name: String
    let kind: fault
    var code: Int32 = 0

    /// None does: the process is killed before it, and leaves the files as they are.
    static let killed = Fault(name: "killed", kind: FAULT_NOTICE)

    static let all =
        [
            Fault(name: "EIO", kind: FAULT_ERROR, code: EIO),
            Fault(name: "ENOSPC", kind: FAULT_ERROR, code: ENOSPC),
            Fault(name: "EACCES", kind: FAULT_ERROR, code: EACCES),
            Fault(name: "EINTR", kind: FAULT_ERROR, code: EINTR),
            Fault(name: "EPERM", kind: FAULT_ERROR, code: EPERM),
            Fault(name: "half of the bytes", kind: FAULT_SHORT),
            Fault(name: "EIO from then on", kind: FAULT_LASTING, code: EIO),
            Fault(name: "ENOSPC from then on", kind: FAULT_LASTING, code: ENOSPC),
        ] + [killed]

    /// Whether a system call can fail in this way.
    ///
    /// - Parameter call: the names of the call and of its file.
    func concerns(_ call: String) -> Bool {
        func isOne(of names: String...) -> Bool { names.contains { call.hasPrefix($0) } }
        let moves = isOne(of: "read", "pread", "write", "pwrite")
        // SQLite waits for locks, and the system restarts the other calls.
        if kind == FAULT_SHORT { return moves }
        if kind == FAULT_LASTING { return !isOne(of: "fcntl") }
        return switch code {
        case ENOSPC:
            isOne(
                of: "open", "write", "pwrite", "ftruncate", "fsync", "fdatasync", "mkdir", "link",
                "rename", "mmap")
        // A file system without links.
        case EPERM: isOne(of: "link")
        case EACCES: !moves && !isOne(of: "close", "fsync", "fdatasync", "fstat")
        case EINTR: moves || isOne(of: "open", "fsync", "fdatasync", "ftruncate", "fcntl", "flock")
        default: true
        }
    }
}

/// One failure of one system call.
struct Trial: CustomStringConvertible {
    let start: Start
    /// The number of the call, from 1 on; 0 for none.
    let call: Int
    var name = ""
    let fault: Fault

    struct Result {
        var calls = 0
        var outcome = ""
        var problems: [String] = []
    }

    /// The files at the moment when the process is killed, and what was acknowledged by then.
    private struct Snapshot {
        var source = ""
        var target = ""
        var progress: Progress?
    }

    private static let snapshot = Mutex(Snapshot())

    var description: String { "\(start), call \(call) (\(name)), \(fault.name)" }

    /// Runs the script with the failure, and checks the state.
    func run(in folder: String) async -> Result {
        let trial = folder + "/trial"
        defer { try? FileManager.default.removeItem(atPath: trial) }
        var result = Result()
        do {
            try FileManager.default.createDirectory(
                atPath: trial, withIntermediateDirectories: true)
            let state = trial + "/state"
            try await start.prepare(state)
            Self.snapshot.withLock { $0 = Snapshot(source: state, target: trial + "/killed") }
            try await run(in: trial, state, &result)
        } catch {
            result.problems.append("\(error)")
        }
        return result
    }

    private func run(in trial: String, _ state: String, _ result: inout Result) async throws {
        var script = Script(path: state + "/weir.db", latest: start.latest)
        unsafe faults_arm(state, call, fault.kind, fault.code) { Trial.takeSnapshot() }
        var ended = "continues"
        do {
            try await script.run()
        } catch is Script.GaveUp {
            ended = "stops"
        }
        result.calls = faults_disarm()
        if fault.kind == FAULT_NOTICE, call > 0 {
            result.outcome = "nothing is lost"
        } else {
            result.outcome = "\(script.errors.isEmpty ? "no error" : "errors"), \(ended)"
        }
        // An open store works again when its disk does.
        if script.store != nil { try await script.append(count: 1) }
        let progress = Script.progress.withLock(\.self)
        // As kill -9 leaves the files.
        if FileManager.default.fileExists(atPath: state) {
            try FileManager.default.copyItem(atPath: state, toPath: trial + "/open")
        }
        await script.close()
        for copy in [trial + "/open", state] {
            try await check(copy + "/weir.db", progress: progress)
        }
        if let progress = Self.snapshot.withLock(\.progress) {
            try await check(trial + "/killed/weir.db", progress: progress)
        } else if fault.kind == FAULT_NOTICE, call > 0 {
            result.problems.append("call \(call) did not happen")
        }
        for copy in script.copies where FileManager.default.fileExists(atPath: copy) {
            // A backup reported as failed may exist, but not in part.
            let latest = script.backups[copy]
            try await check(
                copy,
                progress: Progress(
                    acknowledged: latest ?? start.latest, asked: latest ?? progress.asked))
        }
        if fault.code == EPERM, !script.errors.isEmpty {
            result.problems.append("\(script.errors)")
        }
        let missing = script.backups.keys.filter { !FileManager.default.fileExists(atPath: $0) }
        if !missing.isEmpty { result.problems.append("\(missing) are missing") }
    }

    private static func takeSnapshot() {
        snapshot.withLock {
            // The directory may not exist yet.
            try? FileManager.default.copyItem(atPath: $0.source, toPath: $0.target)
            $0.progress = Script.progress.withLock(\.self)
        }
    }

    // MARK: Checks

    struct Wrong: Error, CustomStringConvertible {
        let description: String
    }

    /// Opens a database without failures, and compares it with what was stored.
    private func check(_ path: String, progress: Progress) async throws {
        let place = path.split(separator: "/").suffix(2).joined(separator: "/")
        let store: SQLiteStore
        do throws(StoreError) {
            store = try await SQLiteStore(path: path)
        } catch {
            throw Wrong(description: "\(place) is rejected: \(error)")
        }
        do {
            try await check(store, progress)
        } catch {
            await store.close()
            throw Wrong(description: "\(place): \(error)")
        }
        await store.close()
    }

    private func check(_ store: SQLiteStore, _ progress: Progress) async throws {
        let history = try await store.read(after: nil)
        if let damage = history.damage { throw Wrong(description: damage) }
        // As `weir state check` does.
        if let damage = try await StateArchive(reading: store).damage {
            throw Wrong(description: damage)
        }
        guard (progress.acknowledged...progress.asked).contains(history.latest) else {
            throw Wrong(
                description: "the latest revision is \(history.latest); acknowledged is "
                    + "\(progress.acknowledged), asked for \(progress.asked)")
        }
        if let checkpoint = history.checkpoint {
            guard checkpoint == (try Records.checkpoint(checkpoint.revision)) else {
                throw Wrong(description: "the checkpoint differs")
            }
        }
        let first = (history.checkpoint?.revision ?? 0) + 1
        guard first <= history.latest + 1 else { throw Wrong(description: "invalid history") }
        let expected = try (first..<history.latest + 1).map { try Records.record($0) }
        guard history.records == expected else { throw Wrong(description: "other revisions") }
        try await store.append(try Records.record(history.latest + 1))
    }
}
