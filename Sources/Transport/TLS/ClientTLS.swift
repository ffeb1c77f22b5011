package import NIOSSL

/// TLS settings for connections to a server.
public struct ClientTLS: Sendable, Equatable {
    /// PEM file with the authorities; empty for those of the system.
    public var caFile = ""
    /// PEM file with the client's certificate chain; empty for none.
    public var certificateFile = ""
    /// PEM file with the key of the certificate.
    public var keyFile = ""
    /// The DNS name that the server's certificate must have; empty for the host of the address.
    public var serverName = ""

    /// TLS with the system's authorities and without a certificate.
    public init() {}

    /// The paths of all files.
    package var files: [String] { [caFile, certificateFile, keyFile].filter { !$0.isEmpty } }

    /// Reads the files.
    ///
    /// - Parameter protocols: for ALPN.
    package func load(protocols: [String] = ["h2"]) throws(TLSFailure) -> LoadedTLS {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = protocols
        guard serverName.isEmpty || Address(host: serverName, port: 0).hostName != nil else {
            throw TLSFailure(
                field: "server_name",
                description: "'\(serverName)' is an IP address: use a DNS name, or leave it out to "
                    + "require the address of the server")
        }
        var files = TLSFiles()
        if !caFile.isEmpty {
            configuration.trustRoots = .certificates(
                try files.certificates("ca_file", caFile))
        }
        if !certificateFile.isEmpty || !keyFile.isEmpty {
            let identity = try files.identity(
                certificateFile: certificateFile, keyFile: keyFile)
            configuration.certificateChain = identity.chain.map { .certificate($0) }
            configuration.privateKey = identity.key
        }
        return LoadedTLS(
            context: try TLSFiles.context(configuration), settings: self, warnings: files.warnings)
    }
}

/// TLS with loaded files, for any server with the same settings.
package struct LoadedTLS: Sendable {
    /// The context of NIOSSL.
    package let context: NIOSSLContext
    /// The settings that were loaded.
    package let settings: ClientTLS
    /// Warnings about the files, as sentences for the log.
    package let warnings: [String]

    /// The settings of one connection.
    ///
    /// - Parameter host: the host of the server's address; nil for an IP address, which the
    ///   certificate must then have.
    package func connection(to host: String?) -> ClientConnection.TLS {
        ClientConnection.TLS(
            context: context,
            serverName: settings.serverName.isEmpty ? host : settings.serverName)
    }
}
