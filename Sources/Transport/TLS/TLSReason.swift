internal import NIOSSL

/// The description of an error of TLS: BoringSSL's reasons, without the numbers and the paths of
/// source files that they contain. Nil for other errors.
func tlsReason(_ error: any Error) -> String? {
    switch error {
    case NIOSSLError.handshakeFailed(let cause): "the TLS handshake failed: \(reason(cause))"
    case NIOSSLError.shutdownFailed(let cause): "TLS cannot be closed: \(reason(cause))"
    case NIOSSLError.uncleanShutdown: "the peer closed the connection without ending TLS"
    case NIOSSLError.failedToLoadCertificate: "it contains none that can be read"
    case NIOSSLError.failedToLoadPrivateKey: "it contains none that can be read"
    case let error as BoringSSLError: reason(error)
    default: nil
    }
}

private func reason(_ error: BoringSSLError) -> String {
    switch error {
    case .sslError(let stack), .unknownError(let stack), .invalidSNIName(let stack),
        .failedToSetALPN(let stack):
        stack.isEmpty
            ? "unknown error"
            : stack.map { reason(in: $0.description) }.joined(separator: ", ")
    default: "\(error)"
    }
}

/// The reason in `Error: NUMBER error:NUMBER:LIBRARY:FUNCTION:REASON at FILE:LINE`, or the text in
/// `Error:  TEXT`.
func reason(in description: String) -> String {
    var words = description.split(separator: " ", omittingEmptySubsequences: true)
    if let end = words.firstIndex(of: "at") { words.removeSubrange(end...) }
    let text = words.joined(separator: " ")
    let reason = text.split(separator: ":").last ?? ""
    return String(reason.drop { $0 == " " })
}
