internal import ArgumentParser
internal import Foundation
internal import Messages

/// Waiting for a changed backend to come up.
struct WaitOptions: ParsableArguments {
    @Option(help: "Seconds to wait for the replicas to be ready; 0 not to wait.")
    var wait = 10.0

    /// Prints the backend, when its replicas have settled.
    func show(
        _ backend: Weir_Admin_V1_Backend, _ change: ChangeOptions, _ options: AdminOptions
    ) async throws {
        var backend = backend
        let end = Date().addingTimeInterval(wait)
        while !change.dryRun, !BackendText.isSettled(backend), Date() < end {
            if Style.isErrorTerminal {
                FileHandle.standardError.write(
                    Data("\r\(backend.name): \(BackendText.ready(backend)) replicas ready".utf8))
            }
            try await Task.sleep(for: .milliseconds(100))
            backend = try await options.call(
                "GetBackend", Weir_Admin_V1_GetBackendRequest(name: backend.name))
        }
        if Style.isErrorTerminal { FileHandle.standardError.write(Data("\r\u{1b}[K".utf8)) }
        try options.show(backend) { BackendText.page($0) }
    }
}
