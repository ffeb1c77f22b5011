/// Why a client's TLS handshake failed, in words of its operator.
func handshakeReason(_ error: any Error) -> String { handshakeReason(systemReason(error)) }

/// - Parameter text: the reason of BoringSSL or of NIOSSL.
func handshakeReason(_ text: String) -> String {
    // BoringSSL reports bytes that are not TLS as a wrong version.
    if text.contains("WRONG_VERSION_NUMBER") { return "the server does not use TLS" }
    if text.contains("CERTIFICATE_VERIFY_FAILED") {
        return "the server's certificate is not trusted: its authority is not known, or it is not "
            + "valid now"
    }
    if text.contains("failedToValidateHostname") {
        return "the server's certificate is for another name than that of the address"
    }
    return text.contains("EOF during handshake")
        ? "the server closed the connection during the TLS handshake; it may not use TLS" : text
}
