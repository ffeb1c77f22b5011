internal import NIOSSL

/// A certificate that a port sends to its clients.
package struct ServedCertificate: Sendable, Equatable {
    /// In lower-case hexadecimal digits.
    package let serialNumber: String
    /// The end of its validity, in seconds since 1970.
    package let expirySeconds: Int64

    /// A certificate from its parts.
    package init(serialNumber: String, expirySeconds: Int64) {
        (self.serialNumber, self.expirySeconds) = (serialNumber, expirySeconds)
    }

    init(_ certificate: NIOSSLCertificate) {
        serialNumber = certificate.serialNumber.map { byte in
            String(byte >> 4, radix: 16) + String(byte & 0xf, radix: 16)
        }.joined()
        expirySeconds = Int64(certificate.notValidAfter)
    }
}
