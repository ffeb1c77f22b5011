internal import NIOCore
internal import NIOSSL

/// Why a setting of TLS cannot be used.
public struct TLSFailure: Error, CustomStringConvertible {
    /// The setting that names it, as in the admin service: `ca_file`, `certificate_file` or
    /// `key_file`.
    package let field: String
    /// What is wrong, and with which file.
    public let description: String
}

/// Reads PEM files, and notes what an operator should change about them.
struct TLSFiles {
    /// For the log.
    private(set) var warnings: [String] = []

    /// A certificate, chain included, or authorities.
    mutating func certificates(
        _ field: String, _ file: String
    ) throws(TLSFailure) -> [NIOSSLCertificate] {
        let bytes = try read(field, file, isSecret: false)
        do {
            let found = try NIOSSLCertificate.fromPEMBytes(bytes)
            if !found.isEmpty { return found }
        } catch {
            throw TLSFailure(
                field: field, description: "'\(file)' is not a PEM certificate: \(error)")
        }
        throw TLSFailure(field: field, description: "'\(file)' contains no certificate")
    }

    /// A certificate with its key.
    mutating func identity(
        certificateFile: String, keyFile: String
    ) throws(TLSFailure) -> (chain: [NIOSSLCertificateSource], key: NIOSSLPrivateKeySource) {
        if certificateFile.isEmpty || keyFile.isEmpty {
            throw TLSFailure(
                field: keyFile.isEmpty ? "key_file" : "certificate_file",
                description: "certificate_file and key_file must be set together")
        }
        let chain = try certificates("certificate_file", certificateFile)
        let bytes = try read("key_file", keyFile, isSecret: true)
        do {
            let key = try NIOSSLPrivateKey(bytes: bytes, format: .pem)
            return (chain.map { .certificate($0) }, .privateKey(key))
        } catch {
            throw TLSFailure(
                field: "key_file", description: "'\(keyFile)' is not a PEM key: \(error)")
        }
    }

    private mutating func read(
        _ field: String, _ file: String, isSecret: Bool
    ) throws(TLSFailure) -> [UInt8] {
        do throws(TrustedFile.Failure) {
            let content = try TrustedFile(file, isSecret: isSecret)
            warnings += content.warnings
            return content.bytes
        } catch {
            throw TLSFailure(field: field, description: error.description)
        }
    }

    /// How long a connection that is closed waits for the peer's close_notify. The peer need not
    /// send one (RFC 8446 section 6.1), and one that is dead does not.
    private static let closeTimeout = TimeAmount.milliseconds(200)

    static func context(
        _ configuration: TLSConfiguration
    ) throws(TLSFailure) -> NIOSSLContext {
        var configuration = configuration
        configuration.shutdownTimeout = closeTimeout
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw TLSFailure(
                field: "certificate_file", description: "TLS cannot be set up: \(error)")
        }
    }
}
