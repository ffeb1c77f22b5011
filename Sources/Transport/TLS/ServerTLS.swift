package import NIOSSL
internal import Synchronization

/// TLS on a port of the server. ALPN offers `h2` and `http/1.1`.
public struct ServerTLS: Sendable, Equatable {
    /// The oldest version of TLS that is spoken.
    public enum Version: String, Sendable, CaseIterable {
        case tls12 = "1.2"
        case tls13 = "1.3"
    }

    /// Whether clients must send a certificate.
    public enum ClientCertificates: Sendable, Equatable {
        /// Clients are not asked for one.
        case ignored
        /// A certificate must be of an authority in this PEM file.
        case accepted(caFile: String)
        /// Each client must have one, of an authority in this PEM file.
        case required(caFile: String)
    }

    /// PEM file of the server's certificate, chain included.
    public var certificateFile: String
    /// PEM file of its key.
    public var keyFile: String
    /// Whether clients show who they are.
    public var clientCertificates = ClientCertificates.ignored
    /// The oldest version of TLS that is spoken.
    public var minimumVersion = Version.tls12

    /// TLS without certificates of clients.
    public init(certificateFile: String, keyFile: String) {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
    }

    package var files: [String] {
        switch clientCertificates {
        case .ignored: [certificateFile, keyFile]
        case .accepted(let caFile), .required(let caFile): [certificateFile, keyFile, caFile]
        }
    }

    fileprivate func load() throws(TLSFailure) -> (context: NIOSSLContext, warnings: [String]) {
        var files = TLSFiles()
        let identity = try files.identity(certificateFile: certificateFile, keyFile: keyFile)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: identity.chain, privateKey: identity.key)
        configuration.minimumTLSVersion = minimumVersion == .tls12 ? .tlsv12 : .tlsv13
        configuration.applicationProtocols = ["h2", "http/1.1"]
        switch clientCertificates {
        case .ignored: configuration.certificateVerification = .none
        case .accepted(let caFile):
            configuration.certificateVerification = .optionalVerification
            configuration.trustRoots = .certificates(try files.certificates("ca_file", caFile))
        case .required(let caFile):
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates(try files.certificates("ca_file", caFile))
        }
        return (try TLSFiles.context(configuration), files.warnings)
    }
}

/// The TLS of a port: new connections use what was read last, open ones keep what they began with.
package final class ServedTLS: Sendable {
    private let settings: ServerTLS
    private let files: WatchedFiles
    private let current: Mutex<(context: NIOSSLContext, warnings: [String])>

    package init(_ settings: ServerTLS) throws(TLSFailure) {
        self.settings = settings
        files = WatchedFiles(settings.files)
        current = Mutex(try settings.load())
    }

    /// Reads the files again. If they cannot be used, nothing changes.
    package func reload() throws(TLSFailure) {
        files.restart()
        let loaded = try settings.load()
        current.withLock { $0 = loaded }
    }

    /// Whether the files have changed since this was asked last.
    package func checkForChange() -> Bool { files.checkForChange() }

    /// What an operator should change about the files, for the log.
    package var warnings: [String] { current.withLock { $0.warnings } }

    package func handler() -> NIOSSLServerHandler {
        NIOSSLServerHandler(context: current.withLock { $0.context })
    }
}
