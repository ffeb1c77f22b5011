internal import Testing

@testable internal import Transport

@Suite struct ServerNameTests {
    @Test(
        "A certificate is for a server only if one of its DNS names is that of the server",
        arguments: [
            ("a.example", ["a.example"], true), ("A.example", ["b.example", "a.EXAMPLE"], true),
            ("a.example.", ["a.example"], true), ("a.example", ["a.example."], true),
            ("a.example", [], false), ("a.example", ["b.example"], false),
            ("a.example", ["a.example.b"], false), ("a.example", ["example"], false),
            ("a.example", [""], false), ("localhost", ["localhost"], true),
            ("a.example", ["*.example"], true), ("A.example", ["*.EXAMPLE."], true),
            ("b.a.example", ["*.example"], false), ("example", ["*.example"], false),
            (".example", ["*.example"], false), ("a.example", ["*"], false),
            ("localhost", ["*"], false), ("a.example", ["*.*"], false),
            ("a.b.example", ["a.*.example"], false), ("abc.example", ["a*.example"], false),
            ("*.example", ["*.example"], true),
        ])
    func names(server: String, names: [String], expected: Bool) {
        #expect(isServer(server, in: names) == expected)
    }

    @Test("An IP address is not a server name", arguments: ["10.0.0.1", "::1", "2001:db8::1"])
    func addresses(name: String) {
        var tls = ClientTLS()
        tls.serverName = name
        #expect(throws: TLSFailure.self) { try tls.load() }
    }

    @Test("The reason of a wrong name contains the name")
    func reason() {
        #expect(handshakeReason(WrongServerName(name: "a.example")).contains("'a.example'"))
    }
}
