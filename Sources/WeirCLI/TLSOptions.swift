internal import ArgumentParser
internal import Foundation
internal import Weir

/// The options of a TLS connection to the data port.
struct DataTLSOptions: ParsableArguments {
    @Flag(help: "Use TLS. Without --tls-ca, trust the system's authorities.")
    var tls = false

    @Option(
        help: ArgumentHelp(
            "PEM file of the authorities to trust (default: $WEIR_TLS_CA).", valueName: "file"),
        completion: .file())
    var tlsCa: String?

    @Option(
        help: ArgumentHelp(
            "PEM file of the client's certificate (default: $WEIR_TLS_CERT).", valueName: "file"),
        completion: .file())
    var tlsCert: String?

    @Option(
        help: ArgumentHelp(
            "PEM file of the client's key (default: $WEIR_TLS_KEY).", valueName: "file"),
        completion: .file())
    var tlsKey: String?

    @Option(
        help: ArgumentHelp(
            "The name in the server's certificate, if it differs from the host of the address "
                + "(default: $WEIR_TLS_SERVER_NAME).", valueName: "name"))
    var tlsServerName: String?

    /// Nil for plaintext.
    var settings: ClientTLS? {
        ClientTLS(
            isOn: tls, ca: tlsCa, certificate: tlsCert, key: tlsKey, serverName: tlsServerName,
            environment: "WEIR_TLS")
    }
}

extension ClientTLS {
    /// Settings from the options, or else from the environment; nil for plaintext.
    init?(
        isOn: Bool, ca: String?, certificate: String?, key: String?, serverName: String?,
        environment prefix: String
    ) {
        let ca = ca ?? Variable.value("\(prefix)_CA")
        let certificate = certificate ?? Variable.value("\(prefix)_CERT")
        guard isOn || ca != nil || certificate != nil else { return nil }
        self.init()
        caFile = ca ?? ""
        certificateFile = certificate ?? ""
        keyFile = key ?? Variable.value("\(prefix)_KEY") ?? ""
        self.serverName = serverName ?? Variable.value("\(prefix)_SERVER_NAME") ?? ""
    }
}

extension WeirClient {
    /// A client for a command. Throws if the settings are invalid.
    static func forCommand(
        _ address: Address, tls: ClientTLS?, token: String? = nil, maxMessageBytes: Int = 4 << 20
    ) throws -> WeirClient {
        guard token == nil || tls != nil || address.isLoopback else {
            throw LocatedError(
                description:
                    "sending a token to \(address) requires TLS: use --admin-tls or "
                    + "--admin-tls-ca")
        }
        do throws(TLSFailure) {
            let loaded: LoadedTLS? = if let tls { try tls.load() } else { nil }
            warnOnce(loaded?.warnings ?? [])
            return WeirClient(
                address, tls: loaded, token: token, maxConnections: 4,
                maxMessageBytes: maxMessageBytes)
        } catch {
            throw LocatedError(description: error.description)
        }
    }
}
