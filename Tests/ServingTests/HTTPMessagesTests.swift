internal import GRPCWire
internal import Testing
internal import Transport

@testable internal import Serving

@Suite struct HTTPMessagesTests {
    @Test(
        "The target of a request is a path and a query, or a URL",
        arguments: [
            ("/a", "/a", "", nil), ("/a?", "/a", "", nil), ("/a?b=c", "/a", "b=c", nil),
            ("/a?b?c", "/a", "b?c", nil), ("/a#f", "/a", "", nil), ("/a?b#f", "/a", "b", nil),
            ("//a/../b", "//a/../b", "", nil), ("/%2f?%00", "/%2f", "%00", nil),
            ("http://h:1/a?b", "/a", "b", "h:1"), ("https://h", "/", "", "h"),
            ("HTTP://H?q", "/", "q", "H"), ("http://[::1]:80/", "/", "", "[::1]:80"),
            ("/go?to=http://h/x", "/go", "to=http://h/x", nil),
        ] as [(String, String, String, String?)])
    func splitsTargets(target: String, path: String, query: String, authority: String?) throws {
        let target = try RequestTarget(target, method: "GET")
        #expect(target.path == path && target.query == query)
        #expect(target.authority?.text == authority)
    }

    @Test(
        "A value that is not UTF-8 is read as ISO 8859-1",
        arguments: [
            ([], ""), ([0x61], "a"), ([0xc3, 0xa9], "\u{e9}"), ([0xe9], "\u{e9}"),
            ([0xff, 0xfe], "\u{ff}\u{fe}"), ([0x61, 0xc3], "a\u{c3}"),
            ([0xef, 0xbf, 0xbd], "\u{fffd}"), ([0xed, 0xa0, 0x80], "\u{ed}\u{a0}\u{80}"),
        ] as [([UInt8], String)])
    func readsValues(bytes: [UInt8], text: String) {
        #expect(HTTPFields.text(of: bytes) == text)
    }

    @Test(
        "An invalid target is rejected",
        arguments: [
            "", "?q", "a", "a/b", "*", "ftp://h/", "http:///a", "http://", "http://a b/",
            "http://u@h/",
            "http://h:x/", "h:80", "/a b", "/\u{e9}", "/\u{1}", "/\u{7f}", "/a\r\nb", "/%00",
            "/a%00b?c",
        ])
    func rejectsTargets(target: String) {
        let error = #expect(throws: HTTPRefusal.self) { try RequestTarget(target, method: "GET") }
        #expect(error?.status == 400)
    }

    @Test("OPTIONS may have the target *")
    func acceptsAsterisk() throws {
        #expect(try RequestTarget("*", method: "OPTIONS").isAsterisk)
        #expect(try RequestTarget("http://h", method: "OPTIONS").isAsterisk)
        #expect(try !RequestTarget("http://h/", method: "OPTIONS").isAsterisk)
        #expect(throws: HTTPRefusal.self) { try RequestTarget("*?q", method: "OPTIONS") }
    }

    @Test(
        "A host is a name or an address, with or without a port",
        arguments: [
            ("a", "a", false), ("A.Example.:80", "a.example", false), ("a:", "a", false),
            ("a_b-c.d:65535", "a_b-c.d", false), ("%41b", "%41b", false),
            ("127.0.0.1:1", "127.0.0.1", true), ("1.2.3.256", "1.2.3.256", false),
            ("1.2.3", "1.2.3", false), ("[::1]", "::1", true),
            ("[FE80::1.2.3.4]:8", "fe80::1.2.3.4", true),
        ])
    func acceptsHosts(text: String, name: String, isAddress: Bool) {
        let host = HTTPHost(text)
        #expect(host?.name == name && host?.isAddress == isAddress)
    }

    @Test(
        "An invalid host is rejected",
        arguments: [
            "", ":80", "a b", "a/b", "a@b", "a?b", "a#b", "a,b:c", "a:b", "a:65536", "a:123456",
            "a:-1", "a:1:2",
            "[::1", "[::1]x", "[]", "[x]", "::1", "a\u{0}", "\u{e9}", "%4", "%zz", "a\\b",
            String(repeating: "a", count: 256),
        ])
    func rejectsHosts(text: String) {
        #expect(HTTPHost(text) == nil)
    }

    private static func head(
        _ fields: [(String, String)], _ version: HTTPRequestHead.Version = .http1(minor: 1),
        method: String = "GET", target: String = "/", authority: String? = nil
    ) -> Result<HTTPRequestHead, HTTPRefusal> {
        Result { () throws(HTTPRefusal) in
            try HTTPRequestHead(
                method, target: target, authority: authority, fields.map { ($0.0, $0.1) }, version)
        }
    }

    @Test("The host of a request is that of its target, :authority or Host, in this order")
    func findsHost() throws {
        #expect(try Self.head([("host", " a ")]).get().host?.text == "a")
        #expect(
            try Self.head([("host", "a")], target: "http://b:1/").get().fields.map(\.value)
                == ["b:1"])
        #expect(try Self.head([], .http1(minor: 0)).get().host == nil)
        #expect(try Self.head([], .http2, authority: "a").get().fields.map(\.name) == ["host"])
        #expect(try Self.head([("host", "A")], .http2, authority: "a").get().host?.text == "a")
        #expect(try Self.head([("host", "b")], .http2).get().host?.text == "b")
    }

    @Test("A request with an invalid head is rejected")
    func rejectsHeads() {
        func status(_ head: Result<HTTPRequestHead, HTTPRefusal>) -> Int {
            switch head {
            case .success: 200
            case .failure(let refusal): refusal.status
            }
        }
        let host = ("host", "a")
        #expect(status(Self.head([])) == 400)
        #expect(status(Self.head([host, host])) == 400)
        #expect(status(Self.head([host, ("host", "b")], .http1(minor: 0))) == 400)
        #expect(status(Self.head([("host", "a b@/")])) == 400)
        #expect(status(Self.head([("host", "")])) == 400)
        #expect(status(Self.head([host], .http2, authority: "b")) == 400)
        #expect(status(Self.head([], .http2, authority: "a b")) == 400)
        #expect(status(Self.head([host], method: "CONNECT", target: "a:1")) == 501)
        #expect(status(Self.head([host], method: "A B")) == 400)
        #expect(status(Self.head([host], method: "")) == 400)
        #expect(status(Self.head([host, ("expect", "100-Continue")])) == 200)
        #expect(status(Self.head([host, ("expect", "a, 100-continue")])) == 417)
        #expect(status(Self.head([host, ("expect", "a")], .http1(minor: 0))) == 200)
        for name in ["x-serve-shard-key", "x-forwarded-for", "x-weir-via"] {
            #expect(status(Self.head([host, (name, "a b~")])) == 200)
            #expect(status(Self.head([host, (name, "a\tb")])) == 400)
            #expect(status(Self.head([host, (name, "\u{e9}")])) == 400)
        }
    }

    @Test("The first non-empty shard key counts")
    func findsShardKey() throws {
        let name = "x-serve-shard-key"
        let head = try Self.head([
            ("host", "a"), (name, ""), (name, " \t"), (name, "\tada "), (name, "bob"),
        ]).get()
        #expect(HTTPRequest(head, body: [], peer: Peer()).shardKey == "ada")
    }

    @Test("Hop-by-hop fields, those listed in Connection, and Weir's own are not forwarded")
    func forwardsFields() {
        let fields = [
            ("host", "a"), ("connection", "close, X-Secret ,,host"), ("x-secret", "1"), ("te", "a"),
            ("connection", "x-other"), ("x-other", "1"), ("trailer", "a"), ("keep-alive", "a"),
            ("transfer-encoding", "chunked"), ("upgrade", "a"), ("http2-settings", "a"),
            ("proxy-connection", "a"), ("proxy-authorization", "a"), ("proxy-authenticate", "a"),
            ("content-length", "1"), ("content-type", "a"), ("expect", "a"),
            ("x-serve-shadow", "1"), ("x-serve-backend", "a"), ("x-serve-shard-key", "k"),
            ("cookie", "1"), ("cookie", "2"),
        ].map { (name: $0.0, value: $0.1) }
        #expect(
            HTTPFields.forwarded(fields).map { "\($0.name)=\($0.value)" }
                == ["host=a", "x-serve-shard-key=k", "cookie=1", "cookie=2"])
    }

    @Test(
        "Each gRPC status has the HTTP status of google.rpc.Code",
        arguments: zip(
            StatusCode.names.indices,
            [
                200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
            ]))
    func mapsStatuses(code: Int, status: Int) {
        let reply = HTTPReply(RPCError(StatusCode(rawValue: code), "why \"so\""))
        #expect(reply.status == status)
        let name = StatusCode.names[code]
        #expect(
            String(decoding: reply.body, as: UTF8.self)
                == "{\"code\":\"\(name)\",\"message\":\"why \\\"so\\\"\"}\n")
        #expect(reply.headers.contains { $0 == ("grpc-status", "\(code)") })
    }

    @Test(
        "A pushback becomes whole seconds in Retry-After, an invalid one is omitted",
        arguments: [
            ("0", "0"), ("1", "1"), ("1001", "2"), ("999999999", "1000000"), ("-1", nil),
            ("9223372036854775807", nil), ("x", nil), ("", nil),
        ] as [(String, String?)])
    func roundsPushback(text: String, seconds: String?) {
        let reply = HTTPReply(
            RPCError(.unavailable, "", metadata: ["grpc-retry-pushback-ms": text]))
        #expect(reply.headers.first { $0.name == "retry-after" }?.value == seconds)
    }
}
