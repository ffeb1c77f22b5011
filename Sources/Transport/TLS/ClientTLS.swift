package import NIOSSL

/// TLS towards a server.
public struct ClientTLS: Sendable, Equatable {
    /// PEM file of the authorities; empty for the system's.
    public var caFile = ""
    /// PEM file of the own certificate, chain included; empty for none.
    public var certificateFile = ""
    /// PEM file of its key.
    public var keyFile = ""
    /// What the server's certificate must be made out to, if not to its IP address; empty for the
    /// host of the address.
    public var serverName = ""

    /// TLS with the system's authorities and without a certificate.
    public init() {}

    /// Reads the files.
    package func load() throws(TLSFailure) -> LoadedTLS {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2"]
        var files = TLSFiles()
        if !caFile.isEmpty {
            configuration.trustRoots = .certificates(
                try files.certificates("ca_file", caFile))
        }
        if !certificateFile.isEmpty || !keyFile.isEmpty {
            let identity = try files.identity(
                certificateFile: certificateFile, keyFile: keyFile)
            configuration.certificateChain = identity.chain
            configuration.privateKey = identity.key
        }
        return LoadedTLS(
            context: try TLSFiles.context(configuration), settings: self, warnings: files.warnings)
    }
}

/// TLS that is ready to be used for any replica of a backend.
package struct LoadedTLS: Sendable {
    package let context: NIOSSLContext
    package let settings: ClientTLS
    /// What an operator should change about the files, for the log.
    package let warnings: [String]

    /// - Parameter host: the host of the replica's address; nil when that is an IP address, which
    ///   the certificate must then have.
    package func connection(to host: String?) -> ClientConnection.TLS {
        ClientConnection.TLS(
            context: context,
            serverName: settings.serverName.isEmpty ? host : settings.serverName)
    }
}
