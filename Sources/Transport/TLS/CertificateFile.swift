internal import NIOSSL

/// A PEM file of certificates.
package enum CertificateFile {
    /// The end of the validity of the certificate that ends first, in seconds since 1970; nil if
    /// the file cannot be read or has no certificate.
    package static func firstExpirySeconds(in path: String) -> Int64? {
        let certificates = try? NIOSSLCertificate.fromPEMFile(path)
        return certificates?.map { ServedCertificate($0).expirySeconds }.min()
    }
}
