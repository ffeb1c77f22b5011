internal import ArgumentParser
internal import ControlPlane
internal import Foundation
internal import GRPCWire
internal import Messages
internal import Serving
internal import SystemPackage
internal import Transport

/// `weir access`
struct AccessCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "access", abstract: "Manages the access file of the admin port.",
        discussion: """
            'weir serve --access' uses the access file. A running server rereads a changed file \
            within seconds, and ends open calls that the file no longer allows.

            Examples:
              weir access add access.txt ada --role operator
              weir access list access.txt
            """,
        subcommands: [Add.self, List.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds a credential: a new token, or a name of a certificate.",
            discussion: """
                The command prints a new token once; the file contains only its hash. The owner \
                sets WEIR_TOKEN to it.

                Examples:
                  weir access add access.txt ada --role operator --endpoint greeter
                  weir access add access.txt ci --role admin --certificate dns:ci.example.com
                """)

        @Argument(help: "The access file. The command creates it if it does not exist.")
        var file: String

        @Argument(help: "The name of the owner, for the history.")
        var name: String

        @Option(help: "The role: viewer, operator (traffic and shadows) or admin.")
        var role: AccessList.Role

        @Option(
            help: ArgumentHelp(
                "Restrict an operator to this endpoint; may be repeated.", valueName: "name"))
        var endpoint: [String] = []

        @Option(
            help: ArgumentHelp(
                "A subject alternative name of the owner's certificate: uri:NAME, dns:NAME or "
                    + "email:NAME. The type may be omitted if the name implies it.",
                valueName: "type:name"))
        var certificate: String?

        func run() throws {
            let token = certificate == nil ? AccessToken() : nil
            let credential =
                try certificate.map { "cert:\(try AccessCommand.identity($0))" }
                ?? "sha256:\(token?.hash ?? "")"
            let scope = endpoint.isEmpty ? "" : ":" + endpoint.joined(separator: ",")
            let exists = FileManager.default.fileExists(atPath: file)
            let known = exists ? try AccessCommand.text(of: file) : ""
            let separator = known.isEmpty || known.hasSuffix("\n") ? "" : "\n"
            let addition = separator + "\(name) \(role.rawValue)\(scope) \(credential)\n"
            let added = try AccessCommand.list(known + addition, file).entries
                .dropFirst(try AccessCommand.list(known, file).entries.count)
            guard added.count == 1, added.first?.principal.name == name else {
                throw refused("invalid name or endpoint: it contains a space, a line end or a '#'")
            }
            // Printed first: a token that was not shown is never added.
            if let token { try Output.print("\(token.text)") }
            try write(addition, isNew: !exists)
        }

        /// Appends a line in one write, so that neither a failure nor another command can lose
        /// existing lines.
        private func write(_ line: String, isNew: Bool) throws {
            do {
                let descriptor = try FileDescriptor.open(
                    FilePath(file), .writeOnly,
                    options: isNew ? [.append, .create, .exclusiveCreate] : .append,
                    permissions: .ownerReadWrite)
                try descriptor.closeAfter { _ = try descriptor.writeAll(line.utf8) }
            } catch {
                throw refused("cannot write '\(file)': \(systemReason(error))")
            }
        }
    }

    /// Parses the value of `--certificate`. Without a type, "://" marks a URI and "@" an email
    /// address.
    private static func identity(_ text: String) throws -> PeerIdentity {
        let kind: PeerIdentity.Kind =
            text.contains("://") ? .uri : text.contains("@") ? .email : .dns
        let isBare = !text.contains(":") || text.contains("://")
        guard let identity = PeerIdentity(text) ?? (isBare ? PeerIdentity(kind, text) : nil) else {
            throw refused(
                "invalid --certificate '\(text.printable(limit: 128))': use uri:NAME, dns:NAME or "
                    + "email:NAME, where NAME is printable ASCII without '*'")
        }
        return identity
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the credentials, or reports the errors of the file.",
            discussion: """
                Example:
                  weir access list access.txt
                """,
            aliases: ["ls"])

        @Argument(help: "The access file.")
        var file: String

        @Flag(help: "Print JSON for programs.")
        var json = false

        func run() throws {
            let text = try AccessCommand.text(of: file)
            let list = try AccessCommand.list(text, file)
            guard !json else {
                let rows = list.entries.map { entry in
                    JSONValue.object([
                        ("name", .string(entry.principal.name)),
                        ("role", .string(entry.principal.role.rawValue)),
                        ("endpoints", .array(Self.endpoints(entry.principal).map { .string($0) })),
                        ("credential", .string(Self.credential(entry.credential))),
                    ])
                }
                return try Output.print(json: JSONValue.array(rows).text(indent: 2))
            }
            var table = Table([
                .init(title: "NAME", isName: true), .init(title: "ROLE"),
                .init(title: "ENDPOINTS", isName: true), .init(title: "CREDENTIAL", isName: true),
            ])
            for entry in list.entries {
                let endpoints = Self.endpoints(entry.principal).joined(separator: ", ")
                table.add([
                    entry.principal.name, entry.principal.role.rawValue,
                    endpoints.isEmpty ? "all" : endpoints, Self.credential(entry.credential),
                ])
            }
            try Output.print(table.text(columns: Screen.current.columns))
        }

        private static func endpoints(_ principal: AccessList.Principal) -> [String] {
            principal.endpoints.map { $0.sorted() } ?? []
        }

        private static func credential(_ credential: AccessList.Credential) -> String {
            switch credential {
            case .token(let hash): "token (sha256 \(hash.prefix(8))...)"
            case .certificate(let identity): "certificate \(identity)"
            }
        }
    }

    private static func text(of file: String) throws -> String {
        do throws(TrustedFile.Failure) {
            let content = try TrustedFile(file, isSecret: true)
            warnOnce(content.warnings)
            return try content.text()
        } catch {
            throw refused("access file: \(error)")
        }
    }

    private static func list(_ text: String, _ file: String) throws -> AccessList {
        do throws(AccessList.Invalid) {
            return try AccessList(text)
        } catch {
            throw refused("\(file):\(error.line): \(error.description)")
        }
    }
}

/// Reports an error, and returns the exit code to throw.
private func refused(_ text: String) -> ExitCode {
    printError("\(text)")
    return ExitCode.failure
}

extension AccessList.Role: ExpressibleByArgument {}
