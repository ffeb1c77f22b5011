internal import Serving
internal import Testing
internal import Transport

@testable internal import ControlPlane

@Suite struct AdminHostsTests {
    private let hosts = AdminHosts(["weir.example", "Node-7.example.", "10.0.0.5", "not a name"])

    @Test(
        "Addresses, names without a dot, localhost and the given names are allowed, with any port",
        arguments: [
            "127.0.0.1", "127.0.0.1:8001", "10.1.2.3:65535", "0.0.0.0:1", "[::1]", "[::1]:8001",
            "[fe80::1]:8001", "[::ffff:127.0.0.1]:80", "localhost", "localhost:8001",
            "LOCALHOST:8001", "a.localhost:8001", "localhost.", "weir:8001", "weir.example:8001",
            "WEIR.example.", "node-7.example:8001",
        ])
    func allows(authority: String) throws {
        let host = try #require(HTTPHost(authority))
        #expect(hosts.allow(host))
    }

    @Test(
        "Any other host is rejected",
        arguments: [
            "evil.example", "evil.example:8001", "weir.example.evil.example", "xweir.example",
            "localhost.evil.example", "a.notlocalhost", "127.0.0.1.evil.example", "127.0.0",
            "1.2.3.256", "1.2.3.4.5", "0x7f.1", "weir.example,evil.example",
        ])
    func rejects(authority: String) throws {
        let host = try #require(HTTPHost(authority))
        #expect(!hosts.allow(host))
    }

    @Test("A request without a host is allowed")
    func allowsNone() {
        #expect(hosts.allow(nil))
    }

    @Test(
        "An origin is the server's own if it has the host and the port of the request",
        arguments: [
            ("http://127.0.0.1:8001", "127.0.0.1:8001", true),
            ("HTTP://LOCALHOST:8001", "localhost:8001", true),
            ("https://weir.example", "weir.example:443", true),
            ("https://weir.example:443", "weir.example", true),
            ("http://weir.example", "weir.example:80", true),
            ("http://[::1]:8001", "[::1]:8001", true),
            ("https://weir.example", "weir.example:80", false),
            ("http://127.0.0.1:8002", "127.0.0.1:8001", false),
            ("http://127.0.0.1:8001.evil.example", "127.0.0.1:8001", false),
            ("http://evil.example", "127.0.0.1:8001", false),
            ("http://127.0.0.1:8001/", "127.0.0.1:8001", false),
            ("127.0.0.1:8001", "127.0.0.1:8001", false),
            ("null", "null", false), ("", "a", false), ("://", "a", false), ("://a", "b", false),
        ])
    func origins(origin: String, authority: String, isOwn: Bool) throws {
        let host = try #require(HTTPHost(authority))
        #expect(AdminHosts.isOwn(origin, of: host) == isOwn)
        #expect(!AdminHosts.isOwn(origin, of: nil))
    }
}
