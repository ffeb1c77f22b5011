internal import Foundation
internal import SystemPackage
internal import Testing

@testable internal import Transport

@Suite struct UsableCoresTests {
    @Test(
        "A quota is rounded up to whole cores",
        arguments: [
            ("100000", "100000", 1), ("100001", "100000", 2), ("1000", "100000", 1),
            ("150000\n", "100000\n", 2), ("800000", "100000", 8), ("1", "1", 1),
            ("18446744073709551615", "1", 1_024), ("18446744073709551615", "2", 1_024),
        ] as [(String, String, Int)])
    func roundsUp(quota: String, period: String, cores: Int) {
        #expect(UsableCores.cores(quota: quota, period: period) == cores)
        #expect(UsableCores.cores(ofMax: "\(quota) \(period)") == cores)
    }

    @Test(
        "A file without a valid quota limits nothing",
        arguments: [
            "", " ", "max 100000", "-1 100000", "0 100000", "100000 0", "100000", "x 100000",
            "100000 -1", "100000 x", "1 2 3", "18446744073709551616 1", "1e9 1", "0x10 1",
            "\u{0} \u{0}",
        ])
    func ignoresInvalidQuotas(text: String) {
        #expect(UsableCores.cores(ofMax: text) == nil)
    }

    @Test(
        "The smallest of the affinity and the quotas counts, and at least one",
        arguments: [
            (8, [], 8), (8, [2], 2), (2, [8], 2), (8, [4, 3, 5], 3), (0, [], 1), (-1, [0], 1),
            (4_096, [], 1_024),
        ] as [(Int, [Int], Int)])
    func takesTheSmallest(affinity: Int, quotas: [Int], count: Int) {
        #expect(UsableCores.count(affinity: affinity, quotas: quotas) == count)
    }

    @Test(
        "The affinity counts allowed cores that are online",
        arguments: [
            ("0-3", "0-3", 4), ("0-127", "0-1", 2), ("1,3,5-6", "0-7", 4), ("7", "0-7", 1),
            ("0-3", "", 4), ("0", "1", nil), ("", "0-3", nil), ("x", "0-3", nil), ("3-1", "", nil),
            ("0-8191", "", 8_192), ("0-8192", "", nil), ("-1", "", nil), ("1-2-3", "", nil),
            ("0-99999999999999999999", "", nil), ("0,0,0-0", "0", 1),
        ] as [(String, String, Int?)])
    func countsAffinity(allowed: String, online: String, count: Int?) {
        let status = "Name:\tweir\nCpus_allowed:\tff\nCpus_allowed_list:\t\(allowed)\nMems:\t1\n"
        #expect(UsableCores.affinity(status: status, online: "\(online)\n") == count)
        #expect(UsableCores.affinity(status: "", online: online) == nil)
    }

    /// Groups of a machine, and the quotas that a process in them has.
    struct Machine: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let cgroups: String
        let files: [String: String]
        let quotas: [Int]
    }

    static let machines = [
        Machine(
            testDescription: "version 2, in a container",
            cgroups: "0::/\n", files: ["cpu.max": "150000 100000\n"], quotas: [2]),
        Machine(
            testDescription: "version 2, a service below a limited slice",
            cgroups: "0::/system.slice/weir.service\n",
            files: [
                "system.slice/cpu.max": "300000 100000",
                "system.slice/weir.service/cpu.max": "max 1",
            ], quotas: [3]),
        Machine(
            testDescription: "version 2, with the path of the host",
            cgroups: "0::/../../kubepods/pod1", files: ["cpu.max": "50000 100000"], quotas: [1]),
        Machine(
            testDescription: "version 1",
            cgroups: "9:memory:/a\n3:cpu,cpuacct:/a/b\n2:cpuset:/\n1:name=systemd:/\n",
            files: [
                "cpu/a/cpu.cfs_quota_us": "250000\n", "cpu/a/cpu.cfs_period_us": "100000\n",
                "cpu/a/b/cpu.cfs_quota_us": "-1\n", "cpu/a/b/cpu.cfs_period_us": "100000\n",
            ], quotas: [3]),
        Machine(
            testDescription: "version 1, a quota without a period",
            cgroups: "3:cpu:/", files: ["cpu/cpu.cfs_quota_us": "250000"], quotas: []),
        Machine(
            testDescription: "no groups", cgroups: "", files: ["cpu.max": "100000 100000"],
            quotas: []),
        Machine(
            testDescription: "lines of another form",
            cgroups: "x\n::\n0:\n0::/a\u{0}b/c\n0::" + String(repeating: "/a", count: 9_000),
            files: [:], quotas: []),
        Machine(
            testDescription: "a file that is too long",
            cgroups: "0::/",
            files: ["cpu.max": "100000 100000" + String(repeating: " ", count: 65_536)],
            quotas: []),
    ]

    @Test(
        "Groups of both versions, and the groups above them, limit the cores", arguments: machines)
    func readsGroups(_ machine: Machine) throws {
        let root = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: root) }
        for (path, content) in machine.files {
            let file = root.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(content.utf8).write(to: file)
        }
        let quotas = UsableCores.quotas(cgroups: machine.cgroups, root: FilePath(root.path()))
        #expect(quotas == machine.quotas)
    }

    @Test("This process may use at least one core")
    func countsOwnCores() {
        #expect((1...UsableCores.most).contains(UsableCores.count))
        #expect(UsableCores.count <= ProcessInfo.processInfo.processorCount)
    }
}
