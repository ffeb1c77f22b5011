internal import ArgumentParser
internal import ControlPlane
internal import MessageYAML
internal import Messages
internal import Weir

/// `weir apply`
struct ApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Replaces the whole state with the content of a file.",
        discussion: """
            The file contains 'backends' and 'endpoints', as 'weir export' writes them. The \
            command deletes objects that the file does not name, except handlers under their own \
            name. It makes one revision from the whole file, or changes nothing.
            """)

    @Option(
        name: [.customShort("f"), .long],
        help: ArgumentHelp("A YAML or JSON file; '-' for standard input.", valueName: "file"))
    var file: String

    @OptionGroup var change: ChangeOptions
    @OptionGroup var options: AdminOptions

    func run() async throws {
        let document = try YAMLFile(file)
        let request = Weir_Admin_V1_ApplyRequest(
            configuration: try document.message(), expectedRevision: change.expectedRevision,
            validateOnly: change.dryRun, note: change.note)
        let reply: Weir_Admin_V1_ApplyResponse = try await reporting {
            try await document.locating {
                try await options.ask { try await $0.apply(request, $1) }
            }
        }
        for warning in reply.warnings { printError("warning: \(warning)") }
        try options.show(reply) {
            PlanText.page($0.changes, dryRun: change.dryRun, revision: $0.revision)
        }
    }
}

extension YAMLFile {
    /// Adds this file's line to the error of a rejected configuration.
    func locating<Answer>(_ body: () async throws -> Answer) async throws -> Answer {
        do {
            return try await body()
        } catch let error as RPCError {
            guard let path = error.field, path.hasPrefix("configuration.") else { throw error }
            let prefix = "\(path): "
            let reason =
                error.message.hasPrefix(prefix)
                ? String(error.message.dropFirst(prefix.count)) : error.message
            let place = String(path.dropFirst("configuration.".count))
            throw LocatedError(description: located(place, reason))
        }
    }
}

extension RPCError {
    /// The request field that the server reports as invalid.
    fileprivate var field: String? {
        guard let bytes = metadata.bytes("grpc-status-details-bin").first,
            let status = try? Google_Rpc_Status(serializedBytes: bytes)
        else { return nil }
        for detail in status.details {
            if detail.typeUrl.hasSuffix("/google.rpc.BadRequest") {
                let request = try? Google_Rpc_BadRequest(serializedBytes: detail.value)
                return request?.fieldViolations.first?.field
            }
            if detail.typeUrl.hasSuffix("/google.rpc.ErrorInfo") {
                let info = try? Google_Rpc_ErrorInfo(serializedBytes: detail.value)
                return info?.metadata["field"]
            }
        }
        return nil
    }
}

/// `weir export`
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Prints the whole state in the form that 'weir apply' reads.",
        discussion: """
            The output does not contain affinity maps; 'weir state export' copies a store bit for \
            bit. Without --reveal-secrets, the values of workers' environment variables are \
            masked. When applied to the same server, a masked value keeps the current value.
            """)

    @Option(
        help: "The revision to export (default: the current one).",
        transform: Bounded.whole(0...UInt64.max))
    var revision: UInt64 = 0

    @Flag(help: "Export the values of workers' environment variables; requires the role admin.")
    var revealSecrets = false

    @OptionGroup var options: AdminOptions

    func run() async throws {
        let reply = try await options.call {
            try await $0.getRevision(
                .init(revision: revision, revealSecrets: revealSecrets),
                $1)
        }
        let configuration = reply.configuration ?? .init()
        let masked = revealSecrets ? 0 : SecretMask.count(in: configuration)
        if masked > 0 {
            printError(
                "note: the values of \(masked) environment variables are masked; a backup needs "
                    + "--reveal-secrets")
        }
        guard !options.json else {
            return try Output.print(json: AdminOptions.json(configuration))
        }
        let heading = "# Revision \(reply.revision?.revision ?? 0)\n"
        try Output.write(heading + YAMLDocument.text(of: configuration))
    }
}
