internal import Testing
internal import Transport

@testable internal import Serving

@Suite struct HTTPShardKeyTests {
    @Test(
        "A key is the first value of the cookie that is not empty, or else of the query",
        arguments: [
            ("/a", ["uid=7"], "7"), ("/a", ["x=1; uid=7; uid=8"], "7"),
            ("/a", ["uid=", "uid=9"], "9"),
            ("/a", ["uid=\"q\""], "q"), ("/a", ["uid=\""], "\""), ("/a", ["uid"], nil),
            ("/a", ["xuid=1"], nil), ("/a", ["UID=1"], nil), ("/a?user=u%20v&user=w", [], "u v"),
            ("/a?user=&user=w", [], "w"), ("/a?user=u", ["uid=7"], "7"), ("/a?users=u", [], nil),
            ("/a?user=%zz", [], nil), ("/a", [], nil), ("/a", ["uid=a=b"], "a=b"),
        ] as [(String, [String], String?)])
    func finds(target: String, cookies: [String], key: String?) throws {
        let source = try #require(HTTPShardKey(cookie: "uid", query: "user"))
        let head = try HTTPRequestHead(
            "GET", target: target, [("host", "a")] + cookies.map { ("cookie", $0) },
            .http1(minor: 1))
        #expect(source.key(of: head) == key)
    }

    @Test("The header of the request has precedence, unless it is empty")
    func prefersHeader() throws {
        let source = try #require(HTTPShardKey(cookie: "uid", query: ""))
        for (value, key) in [("h", nil), ("", "7")] as [(String, String?)] {
            let head = try HTTPRequestHead(
                "GET", target: "/",
                [
                    ("host", "a"), ("cookie", "uid=7"), ("x-serve-shard-key", value),
                ], .http1(minor: 1))
            #expect(source.key(of: head) == key)
        }
    }

    @Test(
        "An invalid name is refused",
        arguments: [
            ("", "", false), ("a", "", true), ("", "a[]", true), ("a b", "", false),
            ("a=", "", false), ("", "a b", false), ("", "é", false),
            (String(repeating: "a", count: 256), "", true),
            (String(repeating: "a", count: 257), "", false),
            ("", String(repeating: "a", count: 257), false),
        ])
    func checksNames(cookie: String, query: String, isValid: Bool) {
        #expect((HTTPShardKey(cookie: cookie, query: query) != nil) == isValid)
    }
}
