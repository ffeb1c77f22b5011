internal import ArgumentParser
internal import Foundation
internal import Messages
internal import Weir

/// The options of commands that wait until a changed backend is ready.
struct WaitOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Seconds to wait until the replicas are ready, at most 86400; 0 to not wait "
                + "(default: 10). The command fails if a worker is not ready by then. An upstream "
                + "that cannot be reached is a warning, but with this option a failure."),
        transform: Bounded.decimal(0...86_400))
    var wait: Double?

    private static let defaultSeconds = 10.0

    /// Waits until the status of the backend is final, and prints it. Fails if replicas are not
    /// ready.
    ///
    /// - Parameter backend: the server's response to the change.
    func show(
        _ backend: Weir_Admin_V1_Backend, _ kind: Readiness.Change, _ change: ChangeOptions,
        _ options: AdminOptions
    ) async throws {
        guard !change.dryRun else { return try options.show(backend) { BackendText.page($0) } }
        let (revision, seconds) = (backend.revision, wait ?? Self.defaultSeconds)
        var now = Readiness(backend: backend, revision: revision, change: kind)
        let end = ContinuousClock.now + .seconds(seconds)
        while !now.isSettled(isExplicit: wait != nil), .now < end {
            if Style.isErrorTerminal {
                ErrorOutput.write(
                    "\r\(backend.name): \(BackendText.ready(now.backend)) replicas ready")
            }
            try await Task.sleep(for: .milliseconds(100))
            let latest = try await options.call {
                try await $0.getBackend(.init(name: backend.name), $1)
            }
            now = Readiness(backend: latest, revision: revision, change: kind)
        }
        if Style.isErrorTerminal { ErrorOutput.write("\r\u{1b}[K") }
        try options.show(now.backend) { BackendText.page($0) }
        guard seconds > 0, let problem = now.problem else { return }
        let done = if case .created = kind { "exists" } else { "is updated" }
        let text: TerminalText = "backend '\(backend.name)' \(done), but is not ready: \(problem)"
        guard now.isFailure(isExplicit: wait != nil) else { return printError("warning: " + text) }
        printError(text)
        throw ExitCode(EXIT_FAILURE)
    }
}
