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
}
