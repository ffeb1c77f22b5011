internal import FoundationEssentials

#if canImport(Glibc)
    internal import Glibc
#endif

/// A worker's process group. Its id is the worker's process id.
struct ProcessGroup {
    /// The fields of `/proc/PID/stat` (proc(5)).
    struct Member: Equatable {
        let state: Character
        let group: Int32

        /// - Parameter stat: `PID (NAME) STATE PARENT GROUP ...`; the name may contain anything.
        init?(stat: String) {
            guard let end = stat.lastIndex(of: ")") else { return nil }
            let fields = stat[stat.index(after: end)...].split(separator: " ")
            guard fields.count >= 3, fields[0].count == 1, let group = Int32(fields[2]) else {
                return nil
            }
            state = fields[0][fields[0].startIndex]
            self.group = group
        }

        /// A process that has ended keeps its id until its parent has read its exit code.
        var isLiving: Bool { state != "Z" && state != "X" }
    }

    let leader: Int32

    /// Sends a signal to all processes of the group. Call it only while the leader's exit code has
    /// not been read: after that, another group may have the id.
    func send(_ signal: WorkerEnding.Signal) {
        let number =
            switch signal {
            case .terminate: SIGTERM
            case .kill: SIGKILL
            }
        // 0 and 1 are never workers, and have special meanings for kill(2).
        if leader > 1 { _ = kill(-leader, number) }
    }

    /// Whether the group has a living process besides its leader. False without `/proc`.
    var hasOthers: Bool {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.contains { name in
            guard let pid = Int32(name), pid != leader,
                let bytes = FileManager.default.contents(atPath: "/proc/\(name)/stat"),
                let member = Member(stat: String(decoding: bytes, as: UTF8.self))
            else { return false }
            return member.group == leader && member.isLiving
        }
    }

    /// Whether the leader has ended. Its exit code stays unread.
    var leaderHasEnded: Bool {
        var information = unsafe siginfo_t()
        // The structure is filled in by the call.
        let result = unsafe waitid(
            P_PID, id_t(leader), &information, WEXITED | WNOHANG | WNOWAIT)
        // Without a child of this id, there is nothing to wait for.
        guard result == 0 else { return true }
        return unsafe information._sifields._sigchld.si_pid == leader
    }
}
