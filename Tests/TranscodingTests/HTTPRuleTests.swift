internal import GRPCWire
internal import Messages
internal import Testing

@testable internal import Transcoding

@Suite struct HTTPRuleTests {
    private static func options(_ rule: [UInt8]) -> ArraySlice<UInt8> {
        var writer = WireWriter()
        // Another option, and a field that is not known.
        writer.field(33, varint: 1)
        writer.field(72_295_728, bytes: rule)
        return writer.bytes[...]
    }

    @Test("A rule has its own binding and the additional ones")
    func reads() throws {
        let rule = Library.rule(
            "PATCH", "/v1/{book.name=books/*}", body: "book",
            more: [
                Library.rule("get", "/v1/x", response: "title"),
                Library.rule("*", "/any", body: "*"),
            ])
        let rules = try HTTPRule.all(in: [Self.options(rule)])
        #expect(
            rules.map(\.description) == ["PATCH /v1/{book.name=books/*}", "GET /v1/x", "* /any"])
        #expect(rules.map(\.body) == [.field("book"), .none, .whole])
        #expect(rules.map(\.responseBody) == [nil, "title", nil])
    }

    @Test("Options without a rule have no bindings")
    func none() throws {
        #expect(try HTTPRule.all(in: []).isEmpty)
        #expect(try HTTPRule.all(in: [[0x88, 0x02, 0x01]]).isEmpty)
    }

    @Test("A rule in two pieces is one message, of whose patterns the last counts")
    func pieces() throws {
        let first = Self.options(Library.rule("GET", "/a", body: "x"))
        let second = Self.options(Library.rule("POST", "/b"))
        let rules = try HTTPRule.all(in: [first, second])
        #expect(rules.map(\.description) == ["POST /b"])
        #expect(rules.first?.body == .field("x"))
    }

    @Test(
        "An invalid rule states the reason",
        arguments: [
            ([], "none of get"), (Library.rule("GET", ""), "must begin with '/'"),
            (Library.rule("GET", "/a/**/b"), "'**' must be the last"),
            (Library.rule("", "/a"), "invalid kind ''"),
            (Library.rule("A B", "/a"), "invalid kind"),
            (Library.rule("GÉT", "/a"), "invalid kind"),
            (Library.rule(String(repeating: "A", count: 33), "/a"), "invalid kind"),
            (
                Library.rule("GET", "/a", more: [Library.rule("GET", "/b", more: [[]])]),
                "has additional_bindings"
            ), ([0xff], "truncated"),
            (
                Library.rule(
                    "GET", "/a", more: Array(repeating: Library.rule("GET", "/b"), count: 64)),
                "more than 64 bindings"
            ),
        ] as [([UInt8], String)])
    func invalid(rule: [UInt8], reason: String) {
        let error = #expect(throws: MessageError.self) {
            try HTTPRule.all(in: [Self.options(rule)])
        }
        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }

    @Test("A method has at most 64 bindings")
    func bound() throws {
        let more = (0..<63).map { Library.rule("GET", "/b\($0)") }
        #expect(
            try HTTPRule.all(in: [Self.options(Library.rule("GET", "/a", more: more))]).count == 64)
    }

    @Test(
        "A binding whose names do not fit the messages states the reason",
        arguments: [
            (Library.rule("GET", "/{x}"), "field x is not a field of library.Book"),
            (Library.rule("GET", "/{author}"), "is a message: name one of the fields"),
            (Library.rule("GET", "/{tags}"), "'tags' is repeated"),
            (Library.rule("GET", "/{pages}"), "'pages' is repeated"),
            (Library.rule("GET", "/{labels}"), "is a map"),
            (Library.rule("GET", "/{labels.key}"), "inside 'labels', which is repeated"),
            (Library.rule("GET", "/{editors.name}"), "inside 'editors', which is repeated"),
            (Library.rule("GET", "/{name.x}"), "'name' is one value"),
            (Library.rule("GET", "/{published_at.seconds}"), "'published_at' is one value"),
            (Library.rule("POST", "/a", body: "x"), "body 'x' is not a field of library.Book"),
            (Library.rule("POST", "/a", body: "author.name"), "body 'author.name' is not a field"),
            (Library.rule("GET", "/a", response: "y"), "response_body 'y' is not a field"),
        ])
    func unresolved(rule: [UInt8], reason: String) throws {
        let table = TranscodingTable(try Library.schema([.init(rule: rule)]))
        #expect(table.isEmpty)
        #expect(table.problems.count == 1)
        let problem = table.problems.first ?? ""
        #expect(problem.contains(reason) && problem.contains("/library.Library/Do"), "\(problem)")
    }

    @Test("Variables of an HttpBody's fields are invalid")
    func rawVariables() throws {
        for (input, path, body) in [
            ("Upload", "/{file.content_type}", "file"),
            ("google.api.HttpBody", "/{content_type}", "*"),
        ] {
            let method = Library.Method(input: input, rule: Library.rule("POST", path, body: body))
            let table = TranscodingTable(try Library.schema([method]))
            #expect(table.problems.first?.contains("which is an HttpBody") == true)
        }
    }

    @Test("Two methods with one template conflict; the error names both")
    func conflict() throws {
        let table = TranscodingTable(
            try Library.schema([
                .init(name: "One", rule: Library.rule("GET", "/v1/{name}")),
                .init(name: "Two", rule: Library.rule("GET", "/v1/{title=*}")),
                .init(name: "Three", rule: Library.rule("POST", "/v1/{title=*}")),
            ]))
        #expect(
            table.problems == [
                "'GET /v1/{name}' of /library.Library/One and 'GET /v1/{title=*}' of "
                    + "/library.Library/Two match the same requests"
            ])
        #expect(table.rules.count == 2)
    }

    @Test("The binding of a method is found although another template is more specific")
    func ofMethod() throws {
        let schema = try Library.schema([
            .init(name: "One", rule: Library.rule("GET", "/v1/{name}")),
            .init(name: "Two", rule: Library.rule("GET", "/v1/x")),
        ])
        let path = try #require(RequestPath("/v1/x"))
        for name in ["One", "Two"] {
            let method = MethodPath(service: Library.service, method: name)
            let bindings = MethodBindings(of: method, schema)
            #expect(bindings.rule("GET", path)?.path == method)
            #expect(bindings.rule("PUT", path) == nil)
        }
        let other = MethodPath(service: Library.service, method: "Three")
        #expect(MethodBindings(of: other, schema).rule("GET", path) == nil)
    }

    @Test("Invalid bindings of a method are omitted")
    func omitted() throws {
        let rule = Library.rule("GET", "/v1/{x}", more: [Library.rule("GET", "/v2/{name}")])
        let schema = try Library.schema([.init(rule: rule)])
        let bindings = MethodBindings(
            of: MethodPath(service: Library.service, method: "Do"), schema)
        #expect(bindings.rule("GET", try #require(RequestPath("/v1/a"))) == nil)
        #expect(bindings.rule("GET", try #require(RequestPath("/v2/a"))) != nil)
    }
}
