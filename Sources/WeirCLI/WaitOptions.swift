internal import ArgumentParser
internal import Foundation
internal import Messages

/// Waiting for a changed backend to come up.
struct WaitOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Seconds to wait for the replicas to be ready, at most 86400; 0 not to wait. 'create' "
                + "fails if not all workers are ready by then."),
        transform: Bounded.decimal(0...86_400))
    var wait = 10.0

    /// Prints the backend, when its replicas have settled.
    ///
    /// - Parameter isNew: whether it fails if the backend has workers that are not ready in time.
    func show(
        _ backend: Weir_Admin_V1_Backend, _ change: ChangeOptions, _ options: AdminOptions,
        isNew: Bool = false
    ) async throws {
        var backend = backend
        let end = ContinuousClock.now + .seconds(wait)
        while !change.dryRun, !BackendText.isSettled(backend), .now < end {
            if Style.isErrorTerminal {
                ErrorOutput.write(
                    "\r\(backend.name): \(BackendText.ready(backend)) replicas ready")
            }
            try await Task.sleep(for: .milliseconds(100))
            backend = try await options.call(
                "GetBackend", Weir_Admin_V1_GetBackendRequest(name: backend.name))
        }
        if Style.isErrorTerminal { ErrorOutput.write("\r\u{1b}[K") }
        try options.show(backend) { BackendText.page($0) }
        guard isNew, !change.dryRun, wait > 0, let problem = BackendText.unready(backend) else {
            return
        }
        complain(
            """
            backend '\(backend.name)' exists, but is not ready after \(wait.formatted()) s: \
            \(problem)
            """)
        throw ExitCode(EXIT_FAILURE)
    }
}
