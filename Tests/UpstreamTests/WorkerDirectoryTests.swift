internal import Foundation
internal import Synchronization
internal import Testing

@testable internal import Upstream

@Suite struct WorkerDirectoryTests {
    /// An empty directory with a short path, which the caller deletes.
    private func makeScratch() throws -> String {
        let path = "/tmp/w\(UInt32.random(in: .min ... .max))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
        return path
    }

    private func content(_ path: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path)
    }

    @Test(
        "The directory of a systemd unit is used before the temporary directory",
        arguments: [
            ([:], ["TMPDIR=/tmp"]), (["TMPDIR": "/t/"], ["TMPDIR=/t"]),
            (["TMPDIR": "relative"], ["TMPDIR=/tmp"]), (["TMPDIR": ""], ["TMPDIR=/tmp"]),
            (["RUNTIME_DIRECTORY": "/run/weir"], ["RUNTIME_DIRECTORY=/run/weir", "TMPDIR=/tmp"]),
            (
                ["RUNTIME_DIRECTORY": "/run/a:/run/b", "TMPDIR": "/t"],
                ["RUNTIME_DIRECTORY=/run/a", "TMPDIR=/t"]
            ), (["RUNTIME_DIRECTORY": ""], ["TMPDIR=/tmp"]),
            (["RUNTIME_DIRECTORY": "run"], ["TMPDIR=/tmp"]),
        ] as [([String: String], [String])])
    func listsDirectories(environment: [String: String], places: [String]) {
        let found = WorkerDirectory.places(environment).map { "\($0.variable)=\($0.path)" }
        #expect(found == places)
    }

    @Test("Each socket has its own path in a directory that only this user can enter")
    func makesPaths() throws {
        let scratch = try makeScratch()
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let directory = WorkerDirectory(in: [.init(variable: "TMPDIR", path: scratch)])
        let (first, second) = (try directory.makeSocketPath(), try directory.makeSocketPath())
        #expect(first != second)
        let folder = scratch + "/" + (try #require(content(scratch).first))
        #expect(first.hasPrefix(folder + "/") && second.hasPrefix(folder + "/"))
        let attributes = try FileManager.default.attributesOfItem(atPath: folder)
        #expect(attributes[.posixPermissions] as? Int == 0o700)
        directory.remove()
        #expect(try content(scratch).isEmpty)
    }

    @Test("A directory that another program has removed is created again")
    func createsAgain() throws {
        let scratch = try makeScratch()
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let directory = WorkerDirectory(in: [.init(variable: "TMPDIR", path: scratch)])
        _ = try directory.makeSocketPath()
        for name in try content(scratch) {
            try FileManager.default.removeItem(atPath: "\(scratch)/\(name)")
        }
        let path = try directory.makeSocketPath()
        let folder = String(path[..<(try #require(path.lastIndex(of: "/")))])
        #expect(FileManager.default.fileExists(atPath: folder))
        directory.remove()
    }

    @Test("Only the directories of dead servers are deleted")
    func removesDead() throws {
        let scratch = try makeScratch()
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let live = WorkerDirectory(in: [.init(variable: "TMPDIR", path: scratch)])
        _ = try live.makeSocketPath()
        let kept = try content(scratch) + ["weir-1-abc-x", "weir-x-1", "other", "weir-1-zz"]
        // No process can have the number 2147483647.
        let dead = ["weir-2147483647-1abc", "weir-\(getpid())-zz"]
        for name in kept.dropFirst() + dead {
            try FileManager.default.createDirectory(
                atPath: "\(scratch)/\(name)", withIntermediateDirectories: false)
        }
        try Data().write(to: URL(fileURLWithPath: "\(scratch)/\(dead[0])/1.sock"))
        let new = WorkerDirectory(in: [.init(variable: "TMPDIR", path: scratch)])
        let path = try new.makeSocketPath()
        let own = path.split(separator: "/").dropLast().last.map(String.init)
        #expect(Set(try content(scratch)) == Set(kept + [try #require(own)]))
        new.remove()
        live.remove()
    }

    @Test("An unusable directory is skipped; if no other is usable, the error names it")
    func reportsPlaces() throws {
        let scratch = try makeScratch()
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let long = WorkerDirectory.Place(
            variable: "RUNTIME_DIRECTORY", path: "/" + String(repeating: "x", count: 90))
        let missing = WorkerDirectory.Place(variable: "TMPDIR", path: "/nonexistent")
        let good = WorkerDirectory.Place(variable: "TMPDIR", path: scratch)
        let reports = Mutex<[String]>([])
        let directory = WorkerDirectory(in: [long, missing, good]) { report in
            reports.withLock { $0.append(report) }
        }
        #expect(try directory.makeSocketPath().hasPrefix(scratch))
        directory.remove()
        let reported = reports.withLock { $0 }
        #expect(reported.count == 2)
        let end = "set RUNTIME_DIRECTORY to a shorter one; '\(scratch)' is used"
        #expect(reported[0].hasSuffix(end))
        let error = #expect(throws: WorkerDirectory.Failure.self) {
            try WorkerDirectory(in: [long, missing]).makeSocketPath()
        }
        let text = try #require(error).description
        #expect(text.contains("longer than 107 bytes: set RUNTIME_DIRECTORY to a shorter one"))
        #expect(text.contains("No such file or directory; set TMPDIR to a directory"))
    }

    @Test(
        "Only names in Weir's format are names of its directories",
        arguments: [
            ("weir-1-0", Int32(1) as Int32?), ("weir-2147483647-1z141z3", 2_147_483_647),
            ("weir-1-1z141z4", nil), ("weir-0-1", nil), ("weir--1-1", nil), ("weir-1-", nil),
            ("weir-1", nil), ("weir-2147483648-1", nil), ("weir-test.abc", nil), ("", nil),
        ])
    func readsNames(text: String, pid: Int32?) {
        #expect(SocketDirectoryName(text)?.pid == pid)
    }
}
