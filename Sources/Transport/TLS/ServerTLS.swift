package import NIOSSL
internal import Synchronization

/// TLS settings of a port of the server. ALPN offers `h2` and `http/1.1`.
public struct ServerTLS: Sendable, Equatable {
    /// A version of TLS.
    public enum Version: String, Sendable, CaseIterable {
        case tls12 = "1.2"
        case tls13 = "1.3"
    }

    /// Whether clients must send a certificate.
    public enum ClientCertificates: Sendable, Equatable {
        /// The server requests no certificate.
        case ignored
        /// A client may send one, which must be issued by an authority in this PEM file.
        case accepted(caFile: String)
        /// Each client must send one, issued by an authority in this PEM file.
        case required(caFile: String)
    }

    /// PEM file with the server's certificate chain.
    public var certificateFile: String
    /// PEM file with the key of the certificate.
    public var keyFile: String
    /// Whether clients must send a certificate.
    public var clientCertificates = ClientCertificates.ignored
    /// The oldest version of TLS that the server accepts.
    public var minimumVersion = Version.tls12

    /// TLS without client certificates.
    public init(certificateFile: String, keyFile: String) {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
    }

    /// The paths of all files.
    package var files: [String] {
        switch clientCertificates {
        case .ignored: [certificateFile, keyFile]
        case .accepted(let caFile), .required(let caFile): [certificateFile, keyFile, caFile]
        }
    }

    fileprivate func load() throws(TLSFailure) -> LoadedServerTLS {
        var files = TLSFiles()
        let identity = try files.identity(certificateFile: certificateFile, keyFile: keyFile)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: identity.chain.map { .certificate($0) }, privateKey: identity.key)
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
        return LoadedServerTLS(
            context: try TLSFiles.context(configuration),
            certificates: identity.chain.map { ServedCertificate($0) }, warnings: files.warnings)
    }
}

/// The loaded files of a port.
private struct LoadedServerTLS {
    let context: NIOSSLContext
    let certificates: [ServedCertificate]
    let warnings: [String]
}

/// The TLS of a port. New connections use the files as they were last loaded; open connections are
/// not affected by a reload.
package final class ServedTLS: Sendable {
    private let settings: ServerTLS
    private let files: WatchedFiles
    private let current: Mutex<LoadedServerTLS>

    /// Loads the files.
    package init(_ settings: ServerTLS) throws(TLSFailure) {
        self.settings = settings
        files = WatchedFiles(settings.files)
        current = Mutex(try settings.load())
    }

    /// Loads the files again. On an error, the TLS does not change.
    package func reload() throws(TLSFailure) {
        files.restart()
        let loaded = try settings.load()
        current.withLock { $0 = loaded }
    }

    /// Whether the files have changed since the last call.
    package func checkForChange() -> Bool { files.checkForChange() }

    /// Warnings about the files, as sentences for the log.
    package var warnings: [String] { current.withLock { $0.warnings } }

    /// The certificates that new connections receive: the server's, then those of its issuers.
    package var certificates: [ServedCertificate] { current.withLock { $0.certificates } }

    /// The channel handler for a new connection.
    package func handler() -> NIOSSLServerHandler {
        NIOSSLServerHandler(context: current.withLock { $0.context })
    }
}
