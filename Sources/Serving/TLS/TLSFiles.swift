internal import NIOSSL

/// What can't be used for TLS, and why.
public struct TLSFailure: Error, CustomStringConvertible {
    /// The setting that names it, as in the admin service: `ca_file`, `certificate_file` or `key_file`.
    package let field: String
    /// What is wrong, and with which file.
    public let description: String
}

/// PEM files as TLS takes them.
enum TLSFiles {
    /// A certificate, chain included, or authorities.
    static func certificates(
        _ field: String, _ file: String
    ) throws(TLSFailure) -> [NIOSSLCertificate] {
        do {
            let found = try NIOSSLCertificate.fromPEMFile(file)
            if !found.isEmpty { return found }
        } catch {
            throw TLSFailure(
                field: field, description: "'\(file)' is no readable PEM certificate: \(error)")
        }
        throw TLSFailure(field: field, description: "'\(file)' holds no certificate")
    }

    /// A certificate with its key.
    static func identity(
        certificateFile: String, keyFile: String
    ) throws(TLSFailure) -> (chain: [NIOSSLCertificateSource], key: NIOSSLPrivateKeySource) {
        if certificateFile.isEmpty || keyFile.isEmpty {
            throw TLSFailure(
                field: keyFile.isEmpty ? "key_file" : "certificate_file",
                description: "certificate_file and key_file go together")
        }
        let chain = try certificates("certificate_file", certificateFile)
        do {
            let key = try NIOSSLPrivateKey(file: keyFile, format: .pem)
            return (chain.map { .certificate($0) }, .privateKey(key))
        } catch {
            throw TLSFailure(
                field: "key_file", description: "'\(keyFile)' is no readable PEM key: \(error)")
        }
    }

    static func context(
        _ configuration: TLSConfiguration
    ) throws(TLSFailure) -> NIOSSLContext {
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw TLSFailure(
                field: "certificate_file", description: "TLS can't be set up: \(error)")
        }
    }
}
