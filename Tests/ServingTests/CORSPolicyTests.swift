internal import Testing
internal import Transport

@testable internal import Serving

@Suite struct CORSPolicyTests {
    private static func head(
        _ method: String, _ fields: [HTTPFields.Field]
    ) throws -> HTTPRequestHead {
        try HTTPRequestHead(
            method, target: "/a.S/M", [("host", "a")] + fields, .http1(minor: 1))
    }

    private static func text(_ fields: [HTTPFields.Field]) -> [String] {
        fields.map { "\($0.name): \($0.value)" }
    }

    @Test(
        "An invalid policy is refused with the field",
        arguments: [
            ([], [], false, "origins"), (["a.example"], [], false, "origins[0]"),
            (["https://a.example", "https://"], [], false, "origins[1]"),
            (["https://a.example/"], [], false, "origins[0]"), (["null"], [], false, "origins[0]"),
            (["://a"], [], false, "origins[0]"), (["https://a b"], [], false, "origins[0]"),
            (["1://a"], [], false, "origins[0]"), (["*"], ["a b"], false, "headers[0]"),
            (["*"], ["*"], false, "headers[0]"), (["*"], [""], false, "headers[0]"),
            (["https://*.example"], [], false, "origins[0]"),
            (["https://a:443"], [], false, "origins[0]"),
            (["HTTP://a:80"], [], false, "origins[0]"),
            (["*"], [], true, "credentials"),
            (Array(repeating: "*", count: 65), [], false, "origins"),
            (["*"], Array(repeating: "a", count: 65), false, "headers"),
        ] as [([String], [String], Bool, String)])
    func rejects(origins: [String], headers: [String], credentials: Bool, field: String) {
        let error = #expect(throws: CORSPolicy.Invalid.self) {
            try CORSPolicy(origins: origins, headers: headers, allowsCredentials: credentials)
        }
        #expect(error?.field == field)
    }

    @Test("Origins and headers are kept sorted, once, in lower case")
    func normalizes() throws {
        let policy = try CORSPolicy(
            origins: ["https://B.example:8080", "http://[::1]:443", "https://b.example:8080"],
            headers: ["X-B", "x-a"], exposedHeaders: ["Y"], allowsCredentials: true)
        #expect(policy.origins == ["http://[::1]:443", "https://b.example:8080"])
        #expect(policy.headers == ["x-a", "x-b"] && policy.exposedHeaders == ["y"])
    }

    @Test(
        "A response allows the request's origin if the policy has it",
        arguments: [
            (["https://a"], "https://a", "https://a"), (["https://a"], "https://b", nil),
            (["https://a"], nil, nil), (["*"], "https://b", "*"), (["*"], nil, nil),
            (["https://a"], "null", nil), (["https://a"], "https://a.example", nil),
        ] as [([String], String?, String?)])
    func answers(origins: [String], origin: String?, allowed: String?) throws {
        let policy = try CORSPolicy(origins: origins)
        let fields = policy.fields(
            for: try Self.head("POST", origin.map { [("origin", $0)] } ?? []))
        #expect(fields.first { $0.name == "vary" }?.value == "origin")
        let value = fields.first { $0.name == "access-control-allow-origin" }?.value
        #expect(value == allowed)
        #expect(fields.contains { $0.name == "access-control-expose-headers" } == (allowed != nil))
    }

    @Test("A preflight gets the methods, the headers and the time, or none of them")
    func answersPreflights() throws {
        let policy = try CORSPolicy(
            origins: ["https://a"], headers: ["x-own"], allowsCredentials: true)
        let fields: [HTTPFields.Field] = [
            ("origin", "https://a"), ("access-control-request-method", "POST"),
        ]
        let head = try Self.head("OPTIONS", fields)
        #expect(CORSPolicy.isPreflight(head))
        let reply = policy.preflight(head, methods: ["GET", "POST"])
        #expect(reply.status == 204 && reply.body.isEmpty)
        let text = Self.text(reply.headers)
        #expect(text.contains("access-control-allow-origin: https://a"))
        #expect(text.contains("access-control-allow-credentials: true"))
        #expect(text.contains("access-control-allow-methods: GET, POST"))
        #expect(text.contains("access-control-max-age: 7200"))
        #expect(text.contains { $0.hasSuffix(", x-own") })
        let other = try Self.head("OPTIONS", [("origin", "https://b")] + fields.dropFirst())
        #expect(policy.preflight(other, methods: ["GET"]).headers.map(\.name) == ["vary"])
    }

    @Test("OPTIONS without an origin, or without the method of a request, is not a preflight")
    func distinguishesOptions() throws {
        let origin: HTTPFields.Field = ("origin", "https://a")
        let method: HTTPFields.Field = ("access-control-request-method", "POST")
        for (name, fields) in [
            ("OPTIONS", [origin]), ("OPTIONS", [method]), ("POST", [origin, method]),
            ("OPTIONS", [origin, origin, method]),
        ] {
            #expect(!CORSPolicy.isPreflight(try Self.head(name, fields)))
        }
    }
}
