internal import Testing

@testable internal import Transport

@Suite struct TLSReasonTests {
    @Test(
        "The reason of an error of BoringSSL has neither its numbers nor the path of a source file",
        arguments: [
            (
                "Error: 268435581 error:1000007d:SSL routines:OPENSSL_internal:"
                    + "CERTIFICATE_VERIFY_FAILED at /build/x y/ssl/handshake.cc:393",
                "CERTIFICATE_VERIFY_FAILED"
            ),
            (
                "Error: 33558541 error:0200100d:system library:OPENSSL_internal:Permission denied "
                    + "at C:\\a\\b.cc:1", "Permission denied"
            ),
            ("Error:  EOF during handshake", "EOF during handshake"),
            (
                "Error:  EOF during addition certificate chain validation",
                "EOF during addition certificate chain validation"
            ),
            ("Error: 1 ", "1"), ("", ""), (" at /x:1", ""),
        ])
    func reasons(description: String, expected: String) {
        #expect(reason(in: description) == expected)
    }

    @Test("Other errors are none of TLS")
    func others() { #expect(tlsReason(CancellationError()) == nil) }

    @Test(
        "The reason of a failed handshake names its cause",
        arguments: [
            ("WRONG_VERSION_NUMBER", "the server does not use TLS"),
            ("CERTIFICATE_VERIFY_FAILED", "certificate is not trusted"),
            ("NIOSSLExtraError.failedToValidateHostname: none", "for another name"),
            ("EOF during handshake", "it may not use TLS"), ("other", "other"), ("", ""),
        ])
    func handshakes(text: String, part: String) {
        #expect(part.isEmpty ? handshakeReason(text).isEmpty : handshakeReason(text).contains(part))
    }
}
