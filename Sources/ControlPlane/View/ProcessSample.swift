internal import FoundationEssentials
internal import GRPCWire
internal import SystemPackage
internal import Transport

#if canImport(Glibc)
    internal import Glibc
#endif

/// What the kernel reports about this process, for the metrics `process_*`.
struct ProcessSample: Equatable, Sendable {
    /// User and system time of all threads, in clock ticks.
    var cpuTicks: UInt64 = 0
    var threads: UInt64 = 0
    /// The start, in clock ticks after the boot of the machine.
    var startTicks: UInt64 = 0
    var virtualBytes: UInt64 = 0
    var residentPages: UInt64 = 0
    /// Nil if it cannot be read.
    var openFiles: UInt64?
    var maxFiles: UInt64?

    /// Parses `/proc/self/stat` (proc_pid_stat(5)); nil if it has another form.
    init?(stat: some BidirectionalCollection<UInt8>) {
        // The name of the program is in parentheses, and may contain any character.
        guard let end = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = stat[stat.index(after: end)...]
            .split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
        // The first of these fields is number 3 of the manual page.
        func number(_ field: Int) -> UInt64? {
            fields.count > field - 3
                ? String(validating: fields[field - 3], as: UTF8.self).flatMap { UInt64($0) } : nil
        }
        guard let user = number(14), let system = number(15), let threads = number(20),
            let start = number(22), let virtual = number(23), let resident = number(24)
        else { return nil }
        cpuTicks = user.addingReportingOverflow(system).partialValue
        (self.threads, startTicks, virtualBytes) = (threads, start, virtual)
        residentPages = resident
    }

    /// The current values; nil without `/proc`.
    static func read() -> ProcessSample? {
        guard let stat = content("/proc/self/stat", limit: 4 << 10),
            var sample = ProcessSample(stat: stat)
        else { return nil }
        sample.openFiles = openFileCount()
        var limit = rlimit()
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        // Invariant: the call writes the whole structure.
        if unsafe getrlimit(kind, &limit) == 0 { sample.maxFiles = UInt64(limit.rlim_cur) }
        return sample
    }

    var cpuSeconds: Double { Double(cpuTicks) / Self.ticksPerSecond }
    var residentBytes: UInt64 { residentPages.multipliedReportingOverflow(by: Self.page).0 }
    /// The start in seconds since 1970; nil if the time of the boot is not known.
    var startSeconds: Double? {
        Self.bootSeconds.map { Double($0) + Double(startTicks) / Self.ticksPerSecond }
    }

    private static let ticksPerSecond = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
    private static let page = UInt64(clamping: max(1, sysconf(Int32(_SC_PAGESIZE))))

    /// The boot of the machine in seconds since 1970.
    private static let bootSeconds = content("/proc/stat", limit: 4 << 20).flatMap(bootSeconds(in:))

    /// The boot time in `/proc/stat`.
    static func bootSeconds(in stat: [UInt8]) -> UInt64? {
        for line in stat.split(separator: UInt8(ascii: "\n")) where line.starts(with: "btime ".utf8)
        {
            return String(validating: line.dropFirst(6), as: UTF8.self).flatMap { UInt64($0) }
        }
        return nil
    }

    /// The size of the directory is the number of its entries since Linux 6.2; before, reading the
    /// directory opens one more file.
    private static func openFileCount() -> UInt64? {
        var status = stat()
        // Invariant: the call writes the whole structure.
        if unsafe stat("/proc/self/fd", &status) == 0, status.st_size > 0 {
            return UInt64(clamping: status.st_size)
        }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        else { return nil }
        return UInt64(max(0, names.count - 1))
    }

    private static func content(_ path: FilePath, limit: Int) -> [UInt8]? {
        guard let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) else {
            return nil
        }
        defer { try? file.close() }
        return try? file.readAll(limit: limit)
    }
}
