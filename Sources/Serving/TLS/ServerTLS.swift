internal import NIOSSL
internal import Synchronization

/// TLS on a port of the server. ALPN offers `h2` and `http/1.1`.
public struct ServerTLS: Sendable, Equatable {
    /// The oldest version of TLS that is spoken.
    public enum Version: String, Sendable, CaseIterable {
        case tls12 = "1.2"
        case tls13 = "1.3"
    }

    /// Whether clients show a certificate.
    public enum ClientCertificates: Sendable, Equatable {
        /// They aren't asked for one.
        case ignored
        /// One that is shown must come from an authority in this PEM file.
        case accepted(caFile: String)
        /// Nobody gets in without one from an authority in this PEM file.
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

    var files: [String] {
        switch clientCertificates {
        case .ignored: [certificateFile, keyFile]
        case .accepted(let caFile), .required(let caFile): [certificateFile, keyFile, caFile]
        }
    }

    fileprivate func load() throws(TLSFailure) -> NIOSSLContext {
        let identity = try TLSFiles.identity(certificateFile: certificateFile, keyFile: keyFile)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: identity.chain, privateKey: identity.key)
        configuration.minimumTLSVersion = minimumVersion == .tls12 ? .tlsv12 : .tlsv13
        configuration.applicationProtocols = ["h2", "http/1.1"]
        switch clientCertificates {
        case .ignored: configuration.certificateVerification = .none
        case .accepted(let caFile):
            configuration.certificateVerification = .optionalVerification
            try trust(caFile, in: &configuration)
        case .required(let caFile):
            configuration.certificateVerification = .noHostnameVerification
            try trust(caFile, in: &configuration)
        }
        return try TLSFiles.context(configuration)
    }

    private func trust(
        _ caFile: String, in configuration: inout TLSConfiguration
    ) throws(TLSFailure) {
        configuration.trustRoots = .certificates(try TLSFiles.certificates("ca_file", caFile))
    }
}

/// The TLS of a port, as it is now: new connections use what was read last, those that are open keep
/// what they began with.
package final class ServedTLS: Sendable {
    private let settings: ServerTLS
    private let files: WatchedFiles
    private let current: Mutex<NIOSSLContext>

    package init(_ settings: ServerTLS) throws(TLSFailure) {
        self.settings = settings
        files = WatchedFiles(settings.files)
        current = Mutex(try settings.load())
    }

    /// Reads the files anew. When they can't be used, nothing changes.
    package func reload() throws(TLSFailure) {
        let context = try settings.load()
        current.withLock { $0 = context }
    }

    /// Whether the files have changed since this was asked last.
    package var hasChanged: Bool { files.haveChanged }

    func handler() -> NIOSSLServerHandler { NIOSSLServerHandler(context: current.withLock { $0 }) }
}
