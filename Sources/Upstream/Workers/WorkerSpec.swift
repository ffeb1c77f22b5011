/// The processes of a worker backend.
package struct WorkerSpec: Sendable, Equatable {
    /// The program and its arguments; not empty.
    package var command: [String]
    package var replicas = 1
    /// Added to Weir's own environment.
    package var environment: [String: String] = [:]
    /// Empty for Weir's own working directory.
    package var workingDirectory = ""
    /// The time for a process to become healthy.
    package var startTimeout = Duration.seconds(60)
    /// The time for running requests before SIGTERM, and again between SIGTERM and SIGKILL.
    package var gracePeriod = Duration.seconds(10)

    package init(command: [String]) { self.command = command }

    /// Whether running processes serve the other spec as well.
    func runsLike(_ other: WorkerSpec) -> Bool {
        command == other.command && environment == other.environment
            && workingDirectory == other.workingDirectory
    }
}
