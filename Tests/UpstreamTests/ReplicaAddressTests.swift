internal import Testing

@testable internal import Upstream

@Suite struct ReplicaAddressTests {
    @Test(
        "Addresses format to the parsed text",
        arguments: [
            ("10.0.0.7:50051", ReplicaAddress.ip("10.0.0.7", port: 50_051)),
            ("[::1]:80", .ip("::1", port: 80)),
            ("model.internal:1", .name("model.internal", port: 1)),
            ("my_host:65535", .name("my_host", port: 65_535)),
            ("model.internal.:1", .name("model.internal.", port: 1)),
            ("unix:/run/model.sock", .unix("/run/model.sock")),
        ])
    func reads(text: String, address: ReplicaAddress) throws {
        #expect(try ReplicaAddress(text) == address)
        #expect(address.description == text)
    }

    @Test(
        "An invalid address is rejected with the correct form",
        arguments: [
            "", "host", ":80", "host:0", "host:65536", "host:x", "::1:80", "[::1]", "a b:80",
            "a..b:80", ".:80", "a..:80", ".a:80", "unix:relative", "unix:", "http://host:80",
            "[host]:80", "host:+80", "host:000080", "[10.0.0.7]:80",
        ])
    func rejects(text: String) {
        let error = #expect(throws: ReplicaAddress.Invalid.self) { try ReplicaAddress(text) }
        #expect(error?.description.contains(text) == true)
    }

    @Test(
        "Two spellings of an address are one address",
        arguments: [
            ("LOCALHOST:1", "localhost:1"), ("[0:0:0:0:0:0:0:1]:80", "[::1]:80"),
            ("[FE80::A]:1", "[fe80::a]:1"), ("localhost:01", "localhost:1"),
        ])
    func normalises(text: String, other: String) throws {
        #expect(try ReplicaAddress(text) == ReplicaAddress(other))
        #expect(try ReplicaAddress(text).description == other)
    }

    @Test(
        "The error of a URL names the scheme",
        arguments: [
            "http://host:80", "https://host", "dns:///host:80", "dns:host:80", "ipv4:10.0.0.7:80",
            "://",
        ])
    func schemes(text: String) {
        let error = #expect(throws: ReplicaAddress.Invalid.self) { try ReplicaAddress(text) }
        #expect(error?.description.contains("scheme '") == true)
    }

    @Test("A name of the length of a scheme is a name")
    func names() throws {
        #expect(try ReplicaAddress("dns:80") == .name("dns", port: 80))
    }

    @Test("A dot at the end of a name is not part of the host that certificates name")
    func dropsDots() throws {
        #expect(try ReplicaAddress("model.internal.:1").host == "model.internal")
        #expect(try ReplicaAddress("model.internal:1").host == "model.internal")
        #expect(try ReplicaAddress("10.0.0.7:1").host == nil)
        let longest =
            Array(repeating: String(repeating: "x", count: 49), count: 5)
            .joined(separator: ".") + ".abc"
        #expect(longest.utf8.count == 253)
        #expect(try ReplicaAddress("\(longest).:1").host == longest)
        #expect(throws: ReplicaAddress.Invalid.self) { try ReplicaAddress("\(longest)x:1") }
    }

    @Test("A socket's path may have 107 bytes and no more")
    func limitsPaths() throws {
        let longest = "/" + String(repeating: "x", count: 106)
        #expect(try ReplicaAddress("unix:" + longest) == .unix(longest))
        #expect(throws: ReplicaAddress.Invalid.self) { try ReplicaAddress("unix:\(longest)x") }
    }
}
