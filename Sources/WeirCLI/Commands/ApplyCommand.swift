internal import ArgumentParser
internal import ControlPlane
internal import Foundation
internal import GRPCWire
internal import MessageYAML
internal import Messages
internal import Weir

/// `weir apply`
struct ApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Replaces the whole state with the content of a file.",
        discussion: """
            The file contains 'backends' and 'endpoints', as 'weir export' writes them. The \
            command makes one revision from the whole file, or changes nothing. Without --prune, \
            it fails if it would remove objects that the file does not name, and lists them. \
            Handlers under their own name are never removed.

            The file may use the short forms of the options: 'weights: {v1: 90%}', and in a \
            'rollout:' those of 'weir rollout start -f'.

            Exit code of --check: 2 if the state differs from the file. It also differs if the \
            rollout of an endpoint runs with another plan, was aborted, or is running and not in \
            the file. Weights that revert by themselves to those of the file do not count.

            Examples:
              weir apply -f weir.yaml --dry-run
              weir apply -f weir.yaml
              weir apply -f weir.yaml --prune --comment 'remove the old canary'
              weir apply -f weir.yaml --check
            """)

    /// The rule by which a running rollout rejects a change.
    private static let rolloutReason = "ROLLOUT"
    /// How often a plan is made again because another change was faster.
    private static let maxPlans = 5

    @Option(
        name: [.customShort("f"), .long],
        help: ArgumentHelp("A YAML or JSON file; '-' for standard input.", valueName: "file"),
        completion: .file())
    var file: String

    @Flag(help: "Remove backends and endpoints that the file does not name.")
    var prune = false

    @Flag(help: "Change nothing; exit with 2 if the state differs from the file.")
    var check = false

    @OptionGroup(title: "Change") var change: ChangeOptions
    @OptionGroup var options: AdminOptions

    func run() async throws {
        let document = try YAMLFile(file)
        let request = Weir_Admin_V1_ApplyRequest(
            configuration: try document.message(ConfigurationFile.rewritten),
            expectedRevision: change.expectedRevision,
            validateOnly: change.dryRun || check, note: change.note)
        let reply = try await reporting {
            do {
                return try await apply(request, document)
            } catch let error as RPCError where check && error.reason == Self.rolloutReason {
                // A running rollout needs what the file lacks.
                printError("\(error)")
                throw ExitCode.no
            } catch let error as LocatedError where check && error.reason == Self.rolloutReason {
                printError("\(error.description)")
                throw ExitCode.no
            }
        }
        for warning in reply.warnings { printError("warning: \(warning)") }
        try options.show(reply) {
            PlanText.page($0.changes, dryRun: request.validateOnly, revision: $0.revision)
        }
        if check, !reply.changes.isEmpty || !reply.undone.isEmpty { throw ExitCode.no }
        let removals = reply.changes.filter { $0.action == .remove }
        if change.dryRun, !prune, !removals.isEmpty {
            printError("note: without --prune, 'weir apply' rejects this file, because of removals")
        }
    }

    /// Applies a file. Without --prune, first makes a plan, and then applies it to its revision.
    private func apply(
        _ request: Weir_Admin_V1_ApplyRequest, _ document: YAMLFile
    ) async throws -> Weir_Admin_V1_ApplyResponse {
        func send(
            _ request: Weir_Admin_V1_ApplyRequest
        ) async throws -> Weir_Admin_V1_ApplyResponse {
            try await document.locating {
                try await options.ask { try await $0.apply(request, $1) }
            }
        }
        guard !prune, !request.validateOnly else { return try await send(request) }
        var plans = 0
        while true {
            var planned = request
            planned.validateOnly = true
            let plan = try await send(planned)
            plans += 1
            try rejectRemovals(plan)
            guard !plan.changes.isEmpty else { return plan }
            planned.validateOnly = false
            // The revision of a plan is the one that it would create.
            planned.expectedRevision = request.expectedRevision ?? max(plan.revision, 1) - 1
            do {
                return try await send(planned)
            } catch let error as RPCError where error.code == .aborted {
                // Another change was faster than this one.
                guard request.expectedRevision == nil, plans < Self.maxPlans else { throw error }
            }
        }
    }

    private func rejectRemovals(_ plan: Weir_Admin_V1_ApplyResponse) throws {
        let removals = plan.changes.filter { $0.action == .remove }
        guard !removals.isEmpty else { return }
        let names = removals.map { "\($0.kind) \($0.name.quoted)" }
        printError(
            "nothing has changed: the file does not name \(names.joined(separator: ", ")); "
                + "--prune removes them, and 'weir export' writes them to a file")
        throw ExitCode.failure
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
            guard error.code != .invalidArgument else {
                throw FileError(description: located(place, reason))
            }
            throw LocatedError(description: located(place, reason), reason: error.reason)
        }
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
            masked. When applied to the same server, a masked value keeps the current value. \
            Weights that will revert, and those of a running rollout, are exported as they were \
            before.

            Examples:
              weir export > weir.yaml
              weir export --revision 12 --reveal-secrets > backup.yaml
            """)

    @Option(
        help: "The revision to export (default: the current one).",
        transform: Bounded.whole(0...UInt64.max))
    var revision: UInt64?

    @Flag(help: "Export the values of workers' environment variables; requires the role admin.")
    var revealSecrets = false

    @OptionGroup var options: AdminOptions

    func run() async throws {
        let reply = try await options.call {
            try await $0.getRevision(
                .init(revision: revision ?? 0, revealSecrets: revealSecrets),
                $1)
        }
        let configuration = reply.configuration ?? .init()
        let masked = revealSecrets ? 0 : SecretMask.count(in: configuration)
        if masked > 0 {
            printError(
                "note: the values of \(masked) environment variables are masked; a backup needs "
                    + "--reveal-secrets")
        }
        for endpoint in reply.endpoints where endpoint.timeBox != nil {
            printError(
                "note: the weights of endpoint \(endpoint.name.quoted) revert at "
                    + "\(Style.time(endpoint.timeBox?.reverts)); the output has those of before")
        }
        guard !options.json else {
            return try Output.print(json: AdminOptions.json(configuration))
        }
        // Without the revision, so that equal states have equal files.
        try Output.write(YAMLDocument.text(of: configuration))
    }
}
