internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// The child processes whose exit codes Weir reads itself, as opposed to orphans.
///
/// Process 1 of a container, and a child subreaper (prctl(2)), become the parent of each
/// process whose own parent has ended. They must read its exit code: until then, it occupies an
/// entry in the kernel's process table.
package final class OwnProcesses: Sendable {
    /// The action for a child that has ended.
    enum Claim { case reap, leave }

    private struct State {
        var starting = 0
        var running: Set<Int32> = []
        /// The leaders of the process groups that may have to be ended.
        var groups: Set<Int32> = []

        /// While a process is being started, any id may be its own.
        func claim(_ pid: Int32) -> Claim {
            starting == 0 && !running.contains(pid) ? .reap : .leave
        }
    }

    /// A child process from before its start until its exit code has been read.
    package final class Child: Sendable {
        private let owner: OwnProcesses
        private let pid = Mutex<Int32?>(nil)

        fileprivate init(_ owner: OwnProcesses) { self.owner = owner }

        func started(_ pid: Int32) {
            self.pid.withLock { known in
                guard known == nil else { return }
                known = pid
                owner.state.withLock { state in
                    state.starting -= 1
                    state.running.insert(pid)
                    state.groups.insert(pid)
                }
            }
        }

        /// Its process group has ended. Call it before its exit code is read.
        func groupEnded() {
            guard let pid = pid.withLock({ $0 }) else { return }
            owner.state.withLock { _ = $0.groups.remove(pid) }
        }

        /// Its exit code has been read, or it could not be started. Call it once.
        func ended() {
            let pid = pid.withLock { $0 }
            owner.state.withLock { state in
                guard let pid else {
                    state.starting -= 1
                    return
                }
                state.running.remove(pid)
                state.groups.remove(pid)
            }
        }
    }

    /// The child processes of this program.
    package static let shared = OwnProcesses()

    private let state = Mutex(State())

    package init() {}

    package func begin() -> Child {
        state.withLock { $0.starting += 1 }
        return Child(self)
    }

    func claim(_ pid: Int32) -> Claim { state.withLock { $0.claim(pid) } }

    /// Kills all workers and the processes that they have started. For the end of the program.
    package func killGroups() {
        state.withLock { state in
            for leader in state.groups { ProcessGroup(leader: leader).send(.kill) }
        }
    }

    /// The maximum number of orphans in one pass, so that a process that creates them without end
    /// does not occupy the thread.
    private static let maxReaped = 10_000

    /// Reads the exit codes of ended children that are not Weir's own, until there is none, or
    /// the next one is Weir's own. For a program that starts no processes except through Weir.
    package func reapOrphans() {
        for _ in 0..<Self.maxReaped {
            // No child can be started in between: the lock is held.
            let reaped = state.withLock { state in
                var information = unsafe siginfo_t()
                // The structure is filled in by the call.
                guard unsafe waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) == 0 else {
                    return false
                }
                let pid = unsafe information._sifields._sigchld.si_pid
                guard pid > 0, state.claim(pid) == .reap else { return false }
                return unsafe waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG) == 0
            }
            guard reaped else { return }
        }
    }
}
