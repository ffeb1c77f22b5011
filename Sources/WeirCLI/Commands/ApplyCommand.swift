internal import ArgumentParser
internal import ControlPlane
internal import MessageYAML
internal import Messages
internal import Weir

/// `weir apply`
struct ApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Replaces the whole state with that of a file.",
        discussion: """
            The file holds 'backends' and 'endpoints', as 'weir export' writes them. Objects that \
            it does not name are removed, except Swift code under its own name. The whole file \
            becomes one revision, or nothing changes.
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
            try await document.locating { try await options.ask("Apply", request) }
        }
        for warning in reply.warnings { complain("warning: \(warning)") }
        try options.show(reply) {
            PlanText.page($0.changes, dryRun: change.dryRun, revision: $0.revision)
        }
    }
}

extension YAMLFile {
    /// Refusals of a configuration, by the line of this file.
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
    /// The field of the request that the server complains about.
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
        commandName: "export", abstract: "Prints the whole state as 'weir apply' takes it.",
        discussion: """
            Affinity maps are not part of it: 'weir state export' keeps a store bit for bit. The \
            values of workers' environment variables are masked without --reveal-secrets; applied \
            to the same server, a masked value stands for the one that the server has.
            """)

    @Option(
        help: "The state as of this revision (default: the current one).",
        transform: Bounded.whole(0...UInt64.max))
    var revision: UInt64 = 0

    @Flag(help: "Export the values of workers' environment variables; for backups, by admins.")
    var revealSecrets = false

    @OptionGroup var options: AdminOptions

    func run() async throws {
        let reply: Weir_Admin_V1_GetRevisionResponse = try await options.call(
            "GetRevision",
            Weir_Admin_V1_GetRevisionRequest(revision: revision, revealSecrets: revealSecrets))
        let configuration = reply.configuration ?? .init()
        let masked = revealSecrets ? 0 : SecretMask.count(in: configuration)
        if masked > 0 {
            complain(
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
