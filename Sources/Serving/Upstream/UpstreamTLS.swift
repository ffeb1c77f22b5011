internal import NIOSSL

/// TLS towards an upstream, as an operator names it.
package struct UpstreamTLS: Sendable, Equatable {
    /// PEM file of the authorities; empty for the system's.
    package var caFile = ""
    /// PEM files of Weir's own certificate, chain included, and key; empty for none.
    package var certificateFile = ""
    package var keyFile = ""
    /// What the server's certificate must be made out to, if not to its IP address; empty for the host of
    /// the address.
    package var serverName = ""

    package init() {}

    /// What can't be used, and why.
    package struct Failure: Error {
        /// A field of `UpstreamTls`.
        package let field: String
        package let description: String
    }

    /// Reads the files.
    package func load() throws(Failure) -> LoadedTLS {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2"]
        if !caFile.isEmpty {
            configuration.trustRoots = .certificates(try Self.certificates("ca_file", caFile))
        }
        if certificateFile.isEmpty != keyFile.isEmpty {
            throw Failure(
                field: keyFile.isEmpty ? "key_file" : "certificate_file",
                description: "certificate_file and key_file go together")
        }
        if !certificateFile.isEmpty {
            configuration.certificateChain = try Self.certificates(
                "certificate_file", certificateFile
            ).map { .certificate($0) }
            do {
                configuration.privateKey = .privateKey(
                    try NIOSSLPrivateKey(file: keyFile, format: .pem))
            } catch {
                throw Failure(
                    field: "key_file", description: "'\(keyFile)' is no readable PEM key: \(error)")
            }
        }
        do {
            return LoadedTLS(
                context: try NIOSSLContext(configuration: configuration), settings: self)
        } catch {
            throw Failure(field: "certificate_file", description: "TLS can't be set up: \(error)")
        }
    }

    private static func certificates(
        _ field: String, _ file: String
    ) throws(Failure) -> [NIOSSLCertificate] {
        do {
            let found = try NIOSSLCertificate.fromPEMFile(file)
            if !found.isEmpty { return found }
        } catch {
            throw Failure(
                field: field, description: "'\(file)' is no readable PEM certificate: \(error)")
        }
        throw Failure(field: field, description: "'\(file)' holds no certificate")
    }
}

/// TLS that is ready to be used for any replica of a backend.
package struct LoadedTLS: Sendable {
    let context: NIOSSLContext
    let settings: UpstreamTLS

    /// - Parameter host: the host of the replica's address; nil when that is an IP address, which the
    ///   certificate must then bear.
    func connection(to host: String?) -> ClientConnection.TLS {
        ClientConnection.TLS(
            context: context,
            serverName: settings.serverName.isEmpty ? host : settings.serverName)
    }
}
