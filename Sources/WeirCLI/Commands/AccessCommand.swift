internal import ArgumentParser
internal import ControlPlane
internal import Foundation
internal import Messages

/// `weir access`
struct AccessCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "access", abstract: "Who may do what on the admin port.",
        discussion: """
            The access file is given to 'weir serve --access'. A running server reads it anew when it has \
            changed. Whom its lines don't name is refused.
            """,
        subcommands: [Add.self, List.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets somebody in, by a new token or by a certificate.",
            discussion: """
                A new token is printed once; the file has only its hash. Whoever has it sets WEIR_TOKEN to it.
                """)

        @Argument(help: "The access file; it is made if it isn't there.")
        var file: String

        @Argument(help: "Who it is, for the history.")
        var name: String

        @Option(help: "viewer, operator (traffic and shadows) or admin.")
        var role: AccessList.Role

        @Option(
            help: ArgumentHelp(
                "Of this endpoint only; for operators, may be repeated.", valueName: "name"))
        var endpoint: [String] = []

        @Option(
            help: ArgumentHelp(
                "Let in who shows a certificate made out to this: its URI, DNS name or email.",
                valueName: "name"))
        var certificate: String?

        func run() throws {
            let token = certificate == nil ? AccessToken() : nil
            let credential = certificate.map { "cert:\($0)" } ?? "sha256:\(token?.hash ?? "")"
            let scope = endpoint.isEmpty ? "" : ":" + endpoint.joined(separator: ",")
            let known = try AccessCommand.text(of: file, mayBeMissing: true)
            let separator = known.isEmpty || known.hasSuffix("\n") ? "" : "\n"
            let text = known + separator + "\(name) \(role.rawValue)\(scope) \(credential)\n"
            _ = try AccessCommand.list(text, file)
            let data = Data(text.utf8)
            if FileManager.default.fileExists(atPath: file) {
                try data.write(to: URL(fileURLWithPath: file))
            } else {
                let made = FileManager.default.createFile(
                    atPath: file, contents: data, attributes: [.posixPermissions: 0o600])
                if !made { throw refused("can't write '\(file)'") }
            }
            if let token { print(token.text) }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists who is let in; refuses a file with a mistake.")

        @Argument(help: "The access file.")
        var file: String

        @Flag(help: "Print JSON for programs.")
        var json = false

        func run() throws {
            let text = try AccessCommand.text(of: file, mayBeMissing: false)
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
                return print(JSONValue.array(rows).text(indent: 2))
            }
            var table = Table([
                ("NAME", .left), ("ROLE", .left), ("ENDPOINTS", .left), ("SHOWS", .left),
            ])
            for entry in list.entries {
                let endpoints = Self.endpoints(entry.principal).joined(separator: ", ")
                table.add([
                    entry.principal.name, entry.principal.role.rawValue,
                    endpoints.isEmpty ? "all" : endpoints, Self.credential(entry.credential),
                ])
            }
            print(table.text)
        }

        private static func endpoints(_ principal: AccessList.Principal) -> [String] {
            principal.endpoints.map { $0.sorted() } ?? []
        }

        private static func credential(_ credential: AccessList.Credential) -> String {
            switch credential {
            case .token(let hash): "token (sha256 \(hash.prefix(8))...)"
            case .certificate(let name): "certificate of \(name)"
            }
        }
    }

    private static func text(of file: String, mayBeMissing: Bool) throws -> String {
        if mayBeMissing, !FileManager.default.fileExists(atPath: file) { return "" }
        do {
            return try String(contentsOfFile: file, encoding: .utf8)
        } catch {
            throw refused("can't read '\(file)'")
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

/// Says what is wrong; the command ends with what this returns.
private func refused(_ text: String) -> ExitCode {
    complain(text)
    return ExitCode(EXIT_FAILURE)
}

extension AccessList.Role: ExpressibleByArgument {}
