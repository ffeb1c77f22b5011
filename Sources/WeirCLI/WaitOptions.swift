internal import ArgumentParser
internal import Foundation
internal import GRPCWire
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
    /// The time between two requests for the status, which doubles.
    private static let firstPause = Duration.milliseconds(50)
    private static let longestPause = Duration.seconds(1)

    /// Waits until the status of the backend is final, and prints it. Fails if replicas are not
    /// ready.
    ///
    /// - Parameter backend: the server's response to the change.
    func show(
        _ backend: Weir_Admin_V1_Backend, _ kind: Readiness.Change, _ change: ChangeOptions,
        _ options: AdminOptions
    ) async throws {
        guard !change.dryRun else {
            return try options.show(backend) {
                BackendText.page($0, screen: .current) + change.remark
            }
        }
        let (revision, seconds) = (backend.revision, wait ?? Self.defaultSeconds)
        var now = Readiness(backend: backend, revision: revision, change: kind)
        let end = ContinuousClock.now + .seconds(seconds)
        var pause = Self.firstPause
        while !now.isSettled(isExplicit: wait != nil), .now < end {
            if Style.isErrorTerminal {
                ErrorOutput.write(
                    "\r\(backend.name): \(BackendText.ready(now.backend)) replicas ready")
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, Self.longestPause)
            guard let latest = try await latest(backend.name, options) else { continue }
            now = Readiness(backend: latest, revision: revision, change: kind)
        }
        if Style.isErrorTerminal { ErrorOutput.write("\r\u{1b}[K") }
        try options.show(now.backend) { BackendText.page($0, screen: .current) }
        guard seconds > 0, let problem = now.problem else { return }
        let done = if case .created = kind { "exists" } else { "is updated" }
        let text: TerminalText = "backend '\(backend.name)' \(done), but is not ready: \(problem)"
        guard now.isFailure(isExplicit: wait != nil) else { return printError("warning: " + text) }
        printError(text)
        throw ExitCode.failure
    }

    /// The backend; nil while the server restarts.
    private func latest(
        _ name: String, _ options: AdminOptions
    ) async throws -> Weir_Admin_V1_Backend? {
        try await reporting {
            do {
                return try await options.ask { try await $0.getBackend(.init(name: name), $1) }
            } catch let error as RPCError where error.code == .unavailable {
                return nil
            }
        }
    }
}
