internal import NIOCore
internal import NIOSSL

/// Why a TLS setting cannot be used.
public struct TLSFailure: Error, CustomStringConvertible {
    /// The name of the setting: `ca_file`, `certificate_file` or `key_file`.
    package let field: String
    /// What is wrong, and the name of the file.
    public let description: String
}

/// Reads PEM files, and collects warnings about them.
struct TLSFiles {
    /// Sentences for the log.
    private(set) var warnings: [String] = []

    /// The certificates in a file: a chain, or authorities.
    mutating func certificates(
        _ field: String, _ file: String
    ) throws(TLSFailure) -> [NIOSSLCertificate] {
        let bytes = try read(field, file, isSecret: false)
        do {
            let found = try NIOSSLCertificate.fromPEMBytes(bytes)
            if !found.isEmpty { return found }
        } catch {
            throw TLSFailure(
                field: field,
                description: "invalid PEM certificate in '\(file)': \(systemReason(error))")
        }
        throw TLSFailure(field: field, description: "'\(file)' contains no certificate")
    }

    /// A certificate chain with its key.
    struct Identity {
        let chain: [NIOSSLCertificate]
        let key: NIOSSLPrivateKeySource
    }

    /// Reads a certificate chain with its key.
    mutating func identity(
        certificateFile: String, keyFile: String
    ) throws(TLSFailure) -> Identity {
        if certificateFile.isEmpty || keyFile.isEmpty {
            throw TLSFailure(
                field: keyFile.isEmpty ? "key_file" : "certificate_file",
                description: "a certificate and its key must be set together")
        }
        let chain = try certificates("certificate_file", certificateFile)
        let bytes = try read("key_file", keyFile, isSecret: true)
        do {
            let key = try NIOSSLPrivateKey(bytes: bytes, format: .pem)
            return Identity(chain: chain, key: .privateKey(key))
        } catch {
            throw TLSFailure(
                field: "key_file",
                description: "invalid PEM key in '\(keyFile)': \(systemReason(error))")
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

    /// The time that a closing connection waits for the peer's close_notify, which is optional (RFC
    /// 8446 section 6.1).
    private static let closeTimeout = TimeAmount.milliseconds(200)

    static func context(
        _ configuration: TLSConfiguration
    ) throws(TLSFailure) -> NIOSSLContext {
        var configuration = configuration
        configuration.shutdownTimeout = closeTimeout
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch NIOSSLError.failedToLoadPrivateKey {
            throw TLSFailure(
                field: "key_file", description: "the key is not that of the certificate")
        } catch {
            throw TLSFailure(
                field: "certificate_file",
                description: "TLS cannot be set up: \(systemReason(error))")
        }
    }
}
