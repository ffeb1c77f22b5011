internal import Testing

@testable internal import Serving

@Suite struct ReplicaAddressTests {
    @Test(
        "Addresses are read and written alike",
        arguments: [
            ("10.0.0.7:50051", ReplicaAddress.ip("10.0.0.7", port: 50_051)),
            ("[::1]:80", .ip("::1", port: 80)),
            ("model.internal:1", .name("model.internal", port: 1)),
            ("my_host:65535", .name("my_host", port: 65_535)),
            ("unix:/run/model.sock", .unix("/run/model.sock")),
        ])
    func reads(text: String, address: ReplicaAddress) throws {
        #expect(try ReplicaAddress(text) == address)
        #expect(address.description == text)
    }

    @Test(
        "An invalid address is refused with what would be right",
        arguments: [
            "", "host", ":80", "host:0", "host:65536", "host:x", "::1:80", "[::1]", "a b:80",
            "a..b:80", "unix:relative", "unix:", "http://host:80", "[host]:80",
        ])
    func refuses(text: String) {
        let error = #expect(throws: ReplicaAddress.Invalid.self) { try ReplicaAddress(text) }
        #expect(error?.description.contains(text) == true)
    }

    @Test("A socket's path may have 107 bytes and no more")
    func boundsPaths() throws {
        let longest = "/" + String(repeating: "x", count: 106)
        #expect(try ReplicaAddress("unix:" + longest) == .unix(longest))
        #expect(throws: ReplicaAddress.Invalid.self) { try ReplicaAddress("unix:\(longest)x") }
    }
}
