internal import GRPCWire
internal import Messages
internal import Testing

@testable internal import Transcoding

@Suite struct RequestBindingTests {
    /// The request messages of a request as JSON, joined by spaces; or the error.
    private static func bind(
        _ method: Library.Method, _ path: String, body: String = "",
        contentType: String = "application/json", ignoring: Set<String> = []
    ) throws -> String {
        let (rule, schema) = try Library.transcoded(method)
        let parts = path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let request = RequestBinding.Request(
            path: try #require(RequestPath(String(parts[0]))),
            query: parts.count > 1 ? String(parts[1]) : "", contentType: contentType,
            body: Array(body.utf8))
        let binding = RequestBinding(rule, schema, otherParameters: ignoring)
        let transcoder = JSONTranscoder(schema: schema, keepsNames: true)
        do {
            return try binding.messages(for: request).map {
                try transcoder.json(from: $0, message: rule.method.input).text(indent: 0)
            }.joined(separator: " ")
        } catch let error as RequestBinding.Failure {
            return "\(error)"
        }
    }

    @Test(
        "The query binds fields by dotted paths, original and JSON names",
        arguments: [
            ("", "{}"), ("title=a", #"{"title":"a"}"#), ("title=", "{}"), ("title", "{}"),
            ("title=a+b%20c%2B", #"{"title":"a b c+"}"#), ("&&title=a&", #"{"title":"a"}"#),
            ("author.name=a&author.born=-3", #"{"author":{"name":"a","born":"-3"}}"#),
            ("sequel.sequel.author.name=a", #"{"sequel":{"sequel":{"author":{"name":"a"}}}}"#),
            (
                "sequel.id=1&title=x&sequel.title=y",
                #"{"title":"x","sequel":{"title":"y","id":"1"}}"#
            ),
            ("tags=a&tags=b&tags=", #"{"tags":["a","b",""]}"#),
            ("pages=1&pages=2", #"{"pages":[1,2]}"#),
            ("genre=NOVEL", #"{"genre":"NOVEL"}"#), ("genre=2", #"{"genre":"POEM"}"#),
            ("genre=77", #"{"genre":77}"#),
            ("rare=true&lent=false", #"{"rare":true,"lent":false}"#),
            ("id=9223372036854775807", #"{"id":"9223372036854775807"}"#),
            ("count=4294967295", #"{"count":4294967295}"#), ("price=1e3", #"{"price":1000}"#),
            ("price=NaN", #"{"price":"NaN"}"#), ("price=-Infinity", #"{"price":"-Infinity"}"#),
            ("cover=_-8", #"{"cover":"/+8="}"#), ("cover=%2F%2B8%3D", #"{"cover":"/+8="}"#),
            ("publishedAt=2026-01-02T03:04:05Z", #"{"published_at":"2026-01-02T03:04:05Z"}"#),
            ("published_at=1970-01-01T00:00:00Z", #"{"published_at":"1970-01-01T00:00:00Z"}"#),
            ("loan=1.5s", #"{"loan":"1.500s"}"#), ("note=x", #"{"note":"x"}"#),
            ("note=", #"{"note":""}"#), ("mask=a,bC.d", #"{"mask":"a,bC.d"}"#),
            ("extra=null", #"{"extra":null}"#), ("extra=%5B1,%22a%22%5D", #"{"extra":[1,"a"]}"#),
            ("shelf=", #"{"shelf":""}"#), ("box=0", #"{"box":0}"#),
            ("subtitle=", #"{"subtitle":""}"#),
            ("title=%C3%A9", #"{"title":"é"}"#), ("%74itle=a", #"{"title":"a"}"#),
        ])
    func query(query: String, expected: String) throws {
        let method = Library.Method(rule: Library.rule("GET", "/v1"))
        #expect(try Self.bind(method, "/v1?\(query)") == expected)
    }

    @Test(
        "An invalid query names the parameter",
        arguments: [
            ("x=1", "query parameter 'x' is not a field of library.Book; it has name, title"),
            ("=1", "query parameter '' is not a field"),
            ("author.x=1", "'author.x' is not a field"),
            ("author=1", "is a message: name one of the fields of library.Author"),
            ("author.=1", "'author.' is not a field"), (".title=1", "'.title' is not a field"),
            ("title.x=1", "'title' is one value"), ("note.value=1", "'note' is one value"),
            ("editors.name=a", "inside 'editors', which is repeated"), ("labels=a", "is a map"),
            ("title=a&title=b", "query parameter 'title' is given twice"),
            ("author.name=a&author.name=b", "'author.name' is given twice"),
            ("title=%ff", "'title' contains invalid UTF-8"), ("title=%", "invalid query"),
            ("title=%zz", "invalid query"), ("rare=1", "field rare must be true or false"),
            ("rare=", "must be true or false"), ("id=1.5", "field id must be a whole number"),
            ("id=9223372036854775808", "whole number"), ("id=", "whole number"),
            ("id=%201", "whole number"), ("count=-1", "from 0 to 4294967295"),
            ("price=x", "field price must be a number"), ("price=1e999", "must be a number"),
            ("genre=X", "it must be one of UNKNOWN, NOVEL, POEM"), ("cover=!", "base64"),
            ("publishedAt=now", "field publishedAt must be a time"),
            ("loan=1", "must be a duration"),
            ("lent=1", "must be true or false"), ("extra=x", "invalid JSON"),
            ("shelf=a&box=1", "which is in the same oneof 'place'"),
            ("mask=a_b", "invalid path 'a_b'"),
            ("pages=1&pages=x", "field pages[1] must be a whole number"),
        ])
    func invalidQuery(query: String, reason: String) throws {
        let method = Library.Method(rule: Library.rule("GET", "/v1"))
        let text = try Self.bind(method, "/v1?\(query)")
        #expect(text.contains(reason), "\(text)")
    }

    @Test("The depth of a query parameter is bounded")
    func depth() throws {
        let method = Library.Method(rule: Library.rule("GET", "/v1"))
        func bind(_ depth: Int) throws -> String {
            try Self.bind(
                method, "/v1?" + String(repeating: "sequel.", count: depth) + "title=a")
        }
        #expect(try bind(98).hasPrefix(#"{"sequel":{"sequel""#))
        #expect(try bind(99).contains("nests deeper than 100 messages"))
        #expect(try bind(100_000).contains("nests deeper than 100 messages"))
    }

    @Test("Many parameters of one query take linear time")
    func many() throws {
        let method = Library.Method(rule: Library.rule("GET", "/v1"))
        let start = ContinuousClock.now
        let query = Array(repeating: "sequel.sequel.tags=a", count: 10_000).joined(separator: "&")
        #expect(try Self.bind(method, "/v1?\(query)").utf8.count > 40_000)
        #expect(ContinuousClock.now - start < .seconds(30))
    }

    @Test(
        "The path binds its variables; the query binds the other fields",
        arguments: [
            (
                "GET", "/v1/{name=books/*}", "", "/v1/books/7?id=1", "",
                #"{"name":"books/7","id":"1"}"#
            ),
            (
                "GET", "/{author.born}", "", "/-7?author.name=x", "",
                #"{"author":{"name":"x","born":"-7"}}"#
            ),
            (
                "GET", "/{id}/{author.name}", "", "/7/a%2Fb", "",
                #"{"author":{"name":"a/b"},"id":"7"}"#
            ),
            ("GET", "/{genre}/{rare}", "", "/POEM/true", "", #"{"genre":"POEM","rare":true}"#),
            (
                "GET", "/{published_at}", "", "/2026-01-01T00:00:00Z", "",
                #"{"published_at":"2026-01-01T00:00:00Z"}"#
            ),
            ("GET", "/{id}", "", "/x", "", "field id must be a whole number"),
            (
                "GET", "/{title}", "", "/%ff", "",
                "the part of the path for field title contains invalid UTF-8"
            ),
            ("GET", "/{id}", "", "/1?id=2", "", "'id' is not allowed: the path contains the field"),
            ("GET", "/{author.name}", "", "/a?author.name=b", "", "the path contains the field"),
            (
                "POST", "/{id}", "*", "/1?title=a", "",
                "'title' is not allowed: the body contains all"
            ),
            ("POST", "/{id}", "*", "/1", "", #"{"id":"1"}"#),
            ("POST", "/{id}", "*", "/1", "{}", #"{"id":"1"}"#),
            ("POST", "/{id}", "*", "/1", #"{"title":"a","id":"9"}"#, #"{"title":"a","id":"1"}"#),
            (
                "POST", "/{author.name}", "*", "/a", #"{"author":{"name":"b","born":3}}"#,
                #"{"author":{"name":"a","born":"3"}}"#
            ),
            (
                "POST", "/{published_at}", "*", "/2026-01-01T00:00:00Z",
                #"{"published_at":"x","publishedAt":"y"}"#, "field published_at must be a time"
            ),
            (
                "POST", "/{author.name}", "*", "/a", #"{"author":7}"#,
                "field author must be an object"
            ),
            (
                "POST", "/{author.name}", "*", "/a", #"{"author":null}"#,
                #"{"author":{"name":"a"}}"#
            ),
            ("POST", "/{id}", "*", "/1", "[]", "the message must be an object"),
            ("POST", "/{id}", "*", "/1", "{", "invalid JSON"),
            ("POST", "/{id}", "*", "/1", #"{"x":1}"#, "field x is not a field of library.Book"),
            (
                "POST", "/{id}", "author", "/1?title=a", #"{"name":"n"}"#,
                #"{"title":"a","author":{"name":"n"},"id":"1"}"#
            ),
            ("POST", "/v1", "author", "/v1", "", "{}"),
            (
                "POST", "/v1", "author", "/v1?author.name=a", "",
                "the body contains the field 'author'"
            ),
            ("POST", "/v1", "tags", "/v1", #"["a","b"]"#, #"{"tags":["a","b"]}"#),
            ("POST", "/v1", "labels", "/v1", #"{"a":"b"}"#, #"{"labels":{"a":"b"}}"#),
            (
                "POST", "/v1", "published_at", "/v1", #""2026-01-01T00:00:00Z""#,
                #"{"published_at":"2026-01-01T00:00:00Z"}"#
            ),
            ("POST", "/v1", "title", "/v1", #""x""#, #"{"title":"x"}"#),
            (
                "POST", "/v1", "title", "/v1", "7",
                "field title must be a string"
            ),
            (
                "PATCH", "/v1/{author.name}", "author", "/v1/a", #"{"name":"x","born":1}"#,
                #"{"author":{"name":"a","born":"1"}}"#
            ),
            ("POST", "/v1", "", "/v1?title=a", "{}", #"{"title":"a"}"#),
            ("POST", "/v1", "", "/v1", " \n", "{}"),
            ("DELETE", "/v1", "", "/v1", #"{"title":"a"}"#, "has no body here"),
        ])
    func path(
        method: String, template: String, body: String, path: String, content: String,
        expected: String
    ) throws {
        let method = Library.Method(rule: Library.rule(method, template, body: body))
        let text = try Self.bind(method, path, body: content)
        #expect(expected.hasPrefix("{") ? text == expected : text.contains(expected), "\(text)")
    }

    @Test("A parameter that the endpoint reads is not a field")
    func ignored() throws {
        let method = Library.Method(rule: Library.rule("POST", "/v1", body: "*"))
        #expect(try Self.bind(method, "/v1?user=7", body: "{}", ignoring: ["user"]) == "{}")
    }

    @Test(
        "A JSON body is declared as JSON or not at all",
        arguments: [
            ("application/json", true), ("application/json; charset=utf-8", true), ("", true),
            ("APPLICATION/JSON", true), ("application/merge-patch+json", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false), ("application/x-ndjson", false),
            ("json", false), ("application/jsonx", false),
        ])
    func contentTypes(type: String, isAccepted: Bool) throws {
        let method = Library.Method(rule: Library.rule("POST", "/v1", body: "*"))
        let text = try Self.bind(method, "/v1", body: #"{"title":"a"}"#, contentType: type)
        #expect((text == #"{"title":"a"}"#) == isAccepted)
        #expect(isAccepted || text.contains("unsupported content-type '\(type)'"), "\(text)")
    }

    @Test("An HttpBody is the body with its type, whatever it is")
    func raw() throws {
        let whole = Library.Method(
            input: "google.api.HttpBody", rule: Library.rule("POST", "/v1", body: "*"))
        let bytes = try Self.bind(whole, "/v1", body: "<x>", contentType: "text/xml")
        #expect(bytes == #"{"content_type":"text/xml","data":"PHg+"}"#)
        let field = Library.Method(
            input: "Upload", rule: Library.rule("PUT", "/v1/{name=**}", body: "file"))
        #expect(
            try Self.bind(field, "/v1/a/b", body: "{", contentType: "")
                == #"{"name":"a/b","file":{"data":"ew=="}}"#)
        #expect(
            try Self.bind(field, "/v1/a?file.data=eA", body: "")
                == "query parameter 'file.data' is not allowed: the body contains the field 'file'")
    }

    @Test(
        "A stream of requests is an array or lines; the path binds the first",
        arguments: [
            ("[]", "application/json", #"{"id":"1"}"#), ("", "", #"{"id":"1"}"#),
            (
                #"[{"title":"a"},{"title":"b"}]"#, "application/json",
                #"{"title":"a","id":"1"} {"title":"b"}"#
            ),
            (
                "{\"title\":\"a\"}\r\n\n {} \n", "application/x-ndjson",
                #"{"title":"a","id":"1"} {}"#
            ),
            (#"{"title":"a"}"#, "application/json", "must be an array of messages"),
            ("[7]", "application/json", "the message must be an object"),
            ("{}\n{\n", "application/x-ndjson", "invalid JSON"),
        ])
    func streams(body: String, type: String, expected: String) throws {
        let method = Library.Method(
            clientStreams: true, rule: Library.rule("POST", "/{id}", body: "*"))
        let text = try Self.bind(method, "/1", body: body, contentType: type)
        #expect(expected.hasPrefix("{") ? text == expected : text.contains(expected), "\(text)")
    }

    @Test("A stream of requests without messages and variables is empty")
    func emptyStream() throws {
        let method = Library.Method(
            clientStreams: true, rule: Library.rule("POST", "/v1", body: "*"))
        #expect(try Self.bind(method, "/v1", body: "[]") == "")
    }
}
