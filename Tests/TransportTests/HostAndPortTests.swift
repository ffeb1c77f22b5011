internal import Testing
internal import Transport

@Suite struct HostAndPortTests {
    @Test(
        "A text is split into a host and a port",
        arguments: [
            ("a", "a", nil), ("a:", "a", nil), ("a:0", "a", 0), ("a:00080", "a", 80),
            ("a:65535", "a", 65_535), ("", "", nil), (":", "", nil), (":80", "", 80),
            ("127.0.0.1:1", "127.0.0.1", 1), ("a b/:1", "a b/", 1), ("[]", "", nil),
            ("[::1]", "::1", nil), ("[::1]:", "::1", nil), ("[::1]:80", "::1", 80),
            ("[a]:1", "a", 1), ("[[]:1", "[", 1),
        ] as [(String, Substring, Int?)])
    func reads(text: String, host: Substring, port: Int?) {
        let parts = HostAndPort(text)
        #expect(parts?.host == host)
        #expect(parts?.port == port)
        #expect(parts?.isBracketed == text.hasPrefix("["))
    }

    @Test(
        "A text with another form, or with a port that is not a number to 65535, is rejected",
        arguments: [
            "a:65536", "a:99999", "a:000080", "a:123456", "a:99999999999999999999", "a:-1", "a:+1",
            "a: 1", "a:1 ", "a:0x1", "a:\u{661}", "a:b", "a:1:2", "::1", "::1:80", "[::1", "[::1]x",
            "[::1]80", "[a]b]:1", "[::1]:80:1", "[::1]:65536",
        ])
    func rejects(text: String) {
        #expect(HostAndPort(text) == nil)
    }

    @Test(
        "An address needs a port, and its text parses to the same address",
        arguments: [
            ("127.0.0.1:80", "127.0.0.1:80"), ("[::1]:80", "[::1]:80"), (":80", "127.0.0.1:80"),
            ("localhost:0", "localhost:0"), ("a:65535", "a:65535"), ("a:080", "a:80"),
            ("::1:80", nil), ("80", nil), ("a", nil), ("a:", nil), ("a:65536", nil), ("a:-1", nil),
            ("a:+1", nil), ("a:b", nil), ("[::1]", nil), ("", nil),
        ])
    func readsAddresses(text: String, description: String?) throws {
        guard let description else {
            let error = #expect(throws: AddressError.self) { try Address(text) }
            #expect(error?.description.contains("'\(text)'") == true)
            return
        }
        let address = try Address(text)
        #expect(address.description == description)
        #expect(try Address(description) == address)
    }

    @Test(
        "Loopback addresses and host names are recognized",
        arguments: [
            ("127.0.0.1", true, false), ("127.255.0.1", true, false), ("::1", true, false),
            ("localhost", true, true), ("127.example", false, true), ("10.0.0.1", false, false),
            ("0.0.0.0", false, false), ("::", false, false),
        ])
    func recognizes(host: String, isLoopback: Bool, hasName: Bool) {
        let address = Address(host: host, port: 1)
        #expect(address.isLoopback == isLoopback)
        #expect((address.hostName != nil) == hasName)
    }
}
