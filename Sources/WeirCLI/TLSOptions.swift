internal import ArgumentParser
internal import Foundation
internal import Weir

/// TLS towards a server. Each command says which environment variables stand in for the options.
struct TLSOptions: ParsableArguments {
    @Flag(help: "Use TLS, with the system's authorities unless --tls-ca names others.")
    var tls = false

    @Option(help: ArgumentHelp("PEM file of the server's authorities.", valueName: "file"))
    var tlsCa: String?

    @Option(help: ArgumentHelp("PEM file of the own certificate.", valueName: "file"))
    var tlsCert: String?

    @Option(help: ArgumentHelp("PEM file of its key.", valueName: "file"))
    var tlsKey: String?

    @Option(
        help: ArgumentHelp(
            "Whom the server's certificate is made out to, if not to the host of the address.",
            valueName: "name"))
    var tlsServerName: String?

    /// - Parameter prefix: of the environment variables: `PREFIX_CA`, `PREFIX_CERT`, `PREFIX_KEY` and
    ///   `PREFIX_SERVER_NAME`.
    /// - Returns: nil for plaintext.
    func settings(environment prefix: String) -> ClientTLS? {
        let environment = ProcessInfo.processInfo.environment
        let ca = tlsCa ?? environment["\(prefix)_CA"]
        let certificate = tlsCert ?? environment["\(prefix)_CERT"]
        guard tls || ca != nil || certificate != nil else { return nil }
        var settings = ClientTLS()
        settings.caFile = ca ?? ""
        settings.certificateFile = certificate ?? ""
        settings.keyFile = tlsKey ?? environment["\(prefix)_KEY"] ?? ""
        settings.serverName = tlsServerName ?? environment["\(prefix)_SERVER_NAME"] ?? ""
        return settings
    }
}

extension WeirClient {
    /// A client for a command; settings that can't be used end it.
    static func forCommand(
        _ address: Address, tls: ClientTLS?, token: String? = nil, maxMessageBytes: Int = 4 << 20
    ) throws -> WeirClient {
        guard token == nil || tls != nil || address.isLoopback else {
            throw LocatedError(
                description: "a token goes to \(address) with TLS only: see --tls and --tls-ca")
        }
        do throws(TLSFailure) {
            return try WeirClient(
                address, tls: tls, token: token, maxMessageBytes: maxMessageBytes)
        } catch {
            throw LocatedError(description: error.description)
        }
    }
}
