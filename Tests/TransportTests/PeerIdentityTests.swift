internal import Testing
internal import Transport

@Suite struct PeerIdentityTests {
    @Test(
        "Names are the same identity only if kind and name agree",
        arguments: [
            ("uri:spiffe://prod/ada", "uri:spiffe://prod/ada", true),
            ("uri:spiffe://prod/ada", "uri:spiffe://prod/Ada", false),
            ("uri:spiffe://prod/ada", "dns:spiffe://prod/ada", false),
            ("dns:ada.example", "dns:ADA.example", true),
            ("dns:ada.example", "email:ada.example", false),
            ("dns:ada.example", "dns:ada.example.", false),
            ("email:ada@example.com", "email:Ada@example.com", false),
            ("email:ada@example.com", "email:ada@EXAMPLE.com", false),
            ("uri:mailto:ada@example.com", "email:ada@example.com", false),
        ])
    func compares(left: String, right: String, isSame: Bool) {
        #expect(PeerIdentity(left) != nil && PeerIdentity(right) != nil)
        #expect((PeerIdentity(left) == PeerIdentity(right)) == isSame)
    }

    @Test(
        "A name that is empty, has a wildcard or is not printable ASCII identifies no client",
        arguments: [
            "", "*", "*.example.com", "a\0.example", "a b", " a", "a\n", "a\u{7f}",
            "\u{212a}.example", "ä.example",
            "a\u{200e}", String(repeating: "a", count: 2_049),
        ])
    func isNil(name: String) {
        for kind in PeerIdentity.Kind.allCases {
            #expect(PeerIdentity(kind, name) == nil)
            #expect(PeerIdentity("\(kind.rawValue):\(name)") == nil)
        }
    }

    @Test(
        "Text without a known type is not an identity",
        arguments: [
            "ada", "spiffe://prod/ada", "URI:spiffe://prod/ada", "ip:127.0.0.1", ":ada", "dns",
            "dns:",
        ])
    func acceptsTypes(text: String) {
        #expect(PeerIdentity(text) == nil)
    }

    @Test("The description parses to the same identity")
    func describes() {
        #expect(PeerIdentity("dns:Ada.Example")?.description == "dns:ada.example")
        #expect(PeerIdentity("uri:a:b:c")?.description == "uri:a:b:c")
    }
}
