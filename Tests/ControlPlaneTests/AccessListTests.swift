internal import GRPCWire
internal import Serving
internal import Testing
internal import Transport

@testable internal import ControlPlane

@Suite struct AccessListTests {
    private static let token = "weir_0123"
    private static let hash = AccessToken.hash(of: token)

    private static let list = """
        # name    role              credential
        ada       admin             cert:uri:spiffe://prod/ada
        grafana   viewer            cert:dns:Grafana.internal   # a comment
        mail      viewer            cert:email:ops@example.com
        bot       operator:a,b      sha256:\(hash)
        page      viewer            cert:uri:https://example.com/#ops
        """

    @Test(
        "A certificate matches a principal only by a name of the same kind",
        arguments: [
            ("uri:spiffe://prod/ada", "ada"), ("uri:spiffe://prod/Ada", nil),
            ("dns:spiffe://prod/ada", nil), ("dns:GRAFANA.INTERNAL", "grafana"),
            ("uri:grafana.internal", nil), ("email:grafana.internal", nil),
            ("email:ops@example.com", "mail"), ("email:OPS@example.com", nil),
            ("uri:https://example.com/#ops", "page"), ("uri:https://example.com/", nil),
        ])
    func findsPrincipals(name: String, owner: String?) throws {
        let identity = try #require(PeerIdentity(name))
        let list = try AccessList(Self.list)
        #expect(list.principal(certificate: [identity])?.name == owner)
        let stranger = try #require(PeerIdentity("dns:stranger"))
        #expect(list.principal(certificate: [stranger, identity])?.name == owner)
    }

    @Test(
        "An invalid line is rejected with its number and the correct form",
        arguments: [
            ("ada admin cert:spiffe://prod/ada", "cert:uri:NAME, cert:dns:NAME or cert:email:NAME"),
            ("ada admin cert:ada", "for example cert:uri:spiffe://prod/ada"),
            ("ada admin cert:ip:127.0.0.1", "cert:uri:NAME"), ("ada admin cert:", "cert:uri:NAME"),
            ("ada admin cert:dns:", "cert:uri:NAME"),
            ("ada admin cert:dns:*.example", "without '*'"),
            ("ada admin cert:uri:spiffe://prod/*", "without '*'"),
            ("ada admin cert:dns:ä.example", "printable ASCII"),
            ("ada admin token", "neither sha256:HASH"),
            ("ada admin sha256:00", "64 hexadecimal digits"),
            ("ada king sha256:00", "invalid role 'king'"),
            ("a\u{1b}[2J admin sha256:00", "invalid name 'a\\u{1B}[2J'"),
            (
                "ada viewer:e sha256:00",
                "only an operator can be limited to endpoints, not a viewer"
            ),
            ("ada operator: sha256:00", "empty endpoint name"), ("ada admin", "2 words"),
            ("ada admin sha256:00 more", "4 words"),
        ])
    func rejectsLines(line: String, expected: String) {
        do throws(AccessList.Invalid) {
            _ = try AccessList("# first\n\n\(line)\n")
            Issue.record("accepted: \(line)")
        } catch {
            #expect(error.line == 3)
            #expect(error.description.contains(expected), "\(error.description)")
            #expect(error.description.unicodeScalars.allSatisfy { !$0.isControl })
        }
    }

    @Test(
        "The hash of a token is its SHA-256 (vectors of NIST)",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func hashesTokens(token: String, hash: String) {
        #expect(AccessToken.hash(of: token) == hash)
    }

    @Test("A duplicate credential is rejected, independently of its spelling")
    func rejectsTwice() {
        #expect(throws: AccessList.Invalid.self) {
            try AccessList("a admin cert:dns:X.example\nb viewer cert:dns:x.EXAMPLE\n")
        }
    }

    private static let credentials = Access.Credentials(
        identities: [], authorization: ["Bearer \(token)"])

    @Test(
        "A caller requires the role, and an operator the endpoint",
        arguments: [
            ("viewer", Access.Requirement(role: .viewer, action: "look"), nil),
            (
                "viewer", Access.Requirement(role: .operator, action: "act", endpoint: "a"),
                StatusCode.permissionDenied
            ),
            (
                "operator:a,b", Access.Requirement(role: .operator, action: "act", endpoint: "a"),
                nil
            ),
            (
                "operator:a,b", Access.Requirement(role: .operator, action: "act", endpoint: "c"),
                .permissionDenied
            ),
            (
                "operator:a,b", Access.Requirement(role: .operator, action: "act", endpoint: ""),
                .permissionDenied
            ),
            ("operator:a,b", Access.Requirement(role: .admin, action: "act"), .permissionDenied),
            ("operator", Access.Requirement(role: .operator, action: "act", endpoint: "c"), nil),
            ("admin", Access.Requirement(role: .admin, action: "act", endpoint: ""), nil),
        ])
    func checksRequirements(role: String, requirement: Access.Requirement, expected: StatusCode?)
        throws
    {
        let list = try AccessList("bot \(role) sha256:\(Self.hash)\n")
        #expect(Self.rejection(Self.credentials, requirement, list) == expected)
    }

    @Test(
        "Without a known credential a caller is unauthenticated, with another certificate denied",
        arguments: [
            ([], [], StatusCode.unauthenticated), ([], ["Bearer other"], .unauthenticated),
            ([], ["Basic \(token)"], .unauthenticated), ([], ["Bearer"], .unauthenticated),
            (["dns:stranger"], [], .permissionDenied),
            // A token takes precedence over the certificate of the connection.
            (["uri:spiffe://prod/ada"], ["Bearer other"], .unauthenticated),
            // A proxy on the way may have checked another one than Weir reads.
            ([], ["Bearer \(token)", "Bearer \(token)"], .unauthenticated),
            ([], ["Bearer \(token)", "Bearer other"], .unauthenticated),
        ] as [([String], [String], StatusCode)])
    func rejectsUnknown(names: [String], authorization: [String], expected: StatusCode) throws {
        let credentials = Access.Credentials(
            identities: names.compactMap { PeerIdentity($0) }, authorization: authorization)
        let list = try AccessList(Self.list)
        #expect(Self.rejection(credentials, .init(role: .viewer, action: "look"), list) == expected)
    }

    /// The status of a rejected call; nil for one that is admitted.
    private static func rejection(
        _ credentials: Access.Credentials, _ requirement: Access.Requirement, _ list: AccessList
    ) -> StatusCode? {
        do throws(RPCError) {
            _ = try Access.check(credentials, requirement, list)
            return nil
        } catch {
            return error.code
        }
    }
}
