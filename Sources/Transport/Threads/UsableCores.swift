internal import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#endif

/// The number of cores that this process may use: those of its CPU affinity, or fewer if a CPU
/// quota of its control groups (`cpu.max`, `cpu.cfs_quota_us`) allows less time, rounded up. With
/// many more event loops, the quota would be used up early in each period, and all would wait.
package enum UsableCores {
    /// The number at the first use, from 1 to `most`.
    package static let count = count(
        affinity: affinity, quotas: quotas(cgroups: text("/proc/self/cgroup") ?? ""))

    /// The largest number of event loops.
    package static let most = 1_024
    /// The depth to which groups are searched.
    private static let maxDepth = 64
    private static let maxFileBytes = 64 << 10
    /// More cores than Linux supports.
    private static let maxCores = 8_192

    /// - Parameters:
    ///   - affinity: the cores of the CPU affinity.
    ///   - quotas: the cores of all quotas.
    static func count(affinity: Int, quotas: [Int]) -> Int {
        max(1, min(affinity, most, quotas.min() ?? most))
    }

    /// The cores of the CPU affinity, which includes the group's cpuset.
    private static var affinity: Int {
        affinity(
            status: text("/proc/self/status") ?? "",
            online: text("/sys/devices/system/cpu/online") ?? "")
            ?? sysconf(Int32(_SC_NPROCESSORS_ONLN))
    }

    /// - Parameters:
    ///   - status: the content of `/proc/self/status`. It can list cores that are not online.
    ///   - online: the list of the cores that are; empty if unknown.
    /// - Returns: nil if the status lists no core.
    static func affinity(status: String, online: String) -> Int? {
        let name = "Cpus_allowed_list:"
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else {
            return nil
        }
        let allowed = cores(inList: line.dropFirst(name.count))
        let online = cores(inList: online[...])
        let count = online.isEmpty ? allowed.count : allowed.intersection(online).count
        return count > 0 ? count : nil
    }

    /// The numbers of a list of cores, such as `0-3,8`; empty for another text.
    private static func cores(inList text: Substring) -> Set<Int> {
        var cores: Set<Int> = []
        for range in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let ends = range.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard ends.count <= 2, let first = ends.first ?? nil, let last = ends.last ?? nil,
                first >= 0, first <= last, last < maxCores
            else { return [] }
            cores.formUnion(first...last)
        }
        return cores
    }

    /// The cores that each CPU quota of the process's groups and of the groups above them allows,
    /// rounded up.
    ///
    /// - Parameters:
    ///   - cgroups: the content of `/proc/self/cgroup` (cgroups(7)).
    ///   - root: where the groups are mounted.
    static func quotas(cgroups: String, root: FilePath = "/sys/fs/cgroup") -> [Int] {
        cgroups.split(separator: "\n").flatMap { line -> [Int] in
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return [] }
            let controllers = fields[1]
            if controllers.isEmpty {
                return folders(below: root, fields[2]).compactMap { folder in
                    text(folder.appending("cpu.max")).flatMap { cores(ofMax: $0) }
                }
            }
            guard controllers.split(separator: ",").contains("cpu") else { return [] }
            // The folder has the names of its controllers, or is a link to that folder.
            return folders(below: root.appending("cpu"), fields[2]).compactMap { folder in
                guard let quota = text(folder.appending("cpu.cfs_quota_us")),
                    let period = text(folder.appending("cpu.cfs_period_us"))
                else { return nil }
                return cores(quota: quota, period: period)
            }
        }
    }

    /// The folder of a group, and those of the groups above it. In a container, the path of the
    /// group may be that of the host, which does not exist below `root`.
    private static func folders(below root: FilePath, _ path: Substring) -> [FilePath] {
        var folder = root
        var folders = [root]
        for name in path.split(separator: "/").prefix(maxDepth) where name != ".." && name != "." {
            guard let component = FilePath.Component(String(name)) else { break }
            folder.append(component)
            folders.append(folder)
        }
        return folders
    }

    /// The cores of a file `cpu.max`: a quota, or `max`, and a period.
    static func cores(ofMax text: String) -> Int? {
        let parts = text.split(whereSeparator: \.isWhitespace)
        return parts.count == 2 ? cores(quota: String(parts[0]), period: String(parts[1])) : nil
    }

    /// The cores of a quota and a period, in microseconds; nil without a quota, or for numbers that
    /// the kernel does not write.
    static func cores(quota: String, period: String) -> Int? {
        func number(_ text: String) -> UInt64? {
            text.split(whereSeparator: \.isWhitespace).first.flatMap { UInt64($0) }
        }
        guard let quota = number(quota), let period = number(period), quota > 0, period > 0 else {
            return nil
        }
        let (whole, rest) = quota.quotientAndRemainder(dividingBy: period)
        return whole < most ? Int(whole) + (rest > 0 ? 1 : 0) : most
    }

    private static func text(_ path: FilePath) -> String? {
        guard let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) else {
            return nil
        }
        defer { try? file.close() }
        return (try? file.readAll(limit: maxFileBytes)).flatMap { $0 }
            .flatMap { String(validating: $0, as: UTF8.self) }
    }
}
