internal import ArgumentParser
internal import Foundation
internal import Messages
internal import Serving
internal import Weir

/// The options of a connection to the admin port: address, TLS and token.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The admin address of the server (default: $WEIR_ADMIN, or 127.0.0.1:8001).",
            valueName: "host:port"))
    var admin: String?

    @Flag(
        help: "Use TLS to the admin port. Without --admin-tls-ca, trust the system's authorities.")
    var adminTls = false

    @Option(
        help: ArgumentHelp(
            "PEM file of the authorities to trust (default: $WEIR_ADMIN_TLS_CA).", valueName: "file"
        ), completion: .file())
    var adminTlsCa: String?

    @Option(
        help: ArgumentHelp(
            "PEM file of the client's certificate (default: $WEIR_ADMIN_TLS_CERT).",
            valueName: "file"), completion: .file())
    var adminTlsCert: String?

    @Option(
        help: ArgumentHelp(
            "PEM file of the client's key (default: $WEIR_ADMIN_TLS_KEY).", valueName: "file"),
        completion: .file())
    var adminTlsKey: String?

    @Option(
        help: ArgumentHelp(
            "The name in the server's certificate, if it differs from the host of the address "
                + "(default: $WEIR_ADMIN_TLS_SERVER_NAME).", valueName: "name"))
    var adminTlsServerName: String?

    @Option(
        help: ArgumentHelp(
            "The file that contains the token to send (default: the token in $WEIR_TOKEN).",
            valueName: "file"), completion: .file())
    var tokenFile: String?

    /// The size limit of a response. The largest response is a whole state.
    private static let maxMessageBytes = 64 << 20

    /// A client of the admin port.
    var client: WeirClient {
        get throws {
            try .forCommand(
                try address, tls: tls, token: try token,
                maxMessageBytes: Self.maxMessageBytes)
        }
    }

    /// The files of certificates that the options name.
    var certificateFiles: [String] { [adminTlsCa, adminTlsCert].compactMap(\.self) }

    /// Nil for plaintext.
    private var tls: ClientTLS? {
        ClientTLS(
            isOn: adminTls, ca: adminTlsCa, certificate: adminTlsCert, key: adminTlsKey,
            serverName: adminTlsServerName, environment: "WEIR_ADMIN_TLS")
    }

    private var token: String? {
        get throws {
            guard let tokenFile else {
                return try Variable.value("WEIR_TOKEN").map {
                    try Self.token($0, source: "WEIR_TOKEN")
                }
            }
            do {
                let file = try TrustedFile(tokenFile, isSecret: true)
                warnOnce(file.warnings)
                return try Self.token(try file.text(), source: "token file '\(tokenFile)'")
            } catch let error as TrustedFile.Failure {
                throw LocatedError(description: "token file: \(error)")
            }
        }
    }

    /// A token that can be sent in a header. Errors do not repeat it.
    private static func token(_ text: String, source: String) throws -> String {
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard token.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw LocatedError(
                description: "\(source): invalid token: it contains a space, a control character "
                    + "or a character outside ASCII")
        }
        return token
    }

    var address: Address {
        get throws {
            try Address(
                ofServer: ("--admin", admin), variable: "WEIR_ADMIN", default: "127.0.0.1:8001")
        }
    }
}
