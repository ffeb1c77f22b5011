internal import Testing

@testable internal import Transcoding

@Suite struct PathTemplateTests {
    @Test(
        "A template has the segments of its shape",
        arguments: [
            ("/", "/", 0), ("/v1", "/v1", 0), ("/v1/books", "/v1/books", 0),
            ("/v1/{id}", "/v1/*", 1), ("/v1/{id=*}", "/v1/*", 1), ("/v1/*", "/v1/*", 0),
            ("/v1/{a.b_c.D9}/x", "/v1/*/x", 1), ("/v1/**", "/v1/**", 0),
            ("/{name=**}", "/**", 1), ("/v1/{name=shelves/*/books/*}", "/v1/shelves/*/books/*", 1),
            ("/v1/{name=a/**}:read", "/v1/a/**:read", 1), ("/v1/{a}/{b}:x.y", "/v1/*/*:x.y", 2),
            ("/v1/a%20b", "/v1/a b", 0), ("/v1/a-b_c~d.e!$&'()+,;@", "/v1/a-b_c~d.e!$&'()+,;@", 0),
        ])
    func shapes(text: String, shape: String, variables: Int) throws {
        let template = try PathTemplate(text)
        #expect(template.shape == shape)
        #expect(template.variables.count == variables)
        #expect(template.description == text)
    }

    @Test(
        "An invalid template names the position or the rule",
        arguments: [
            ("", "must begin with '/'"), ("v1", "must begin with '/'"), ("//", "'/' at byte 1"),
            ("/v1/", "the end is where a segment"), ("/v1//x", "'/' at byte 4"),
            ("/{", "the end is where the name"), ("/{}", "'}' at byte 2"),
            ("/{a", "the end is where '}'"), ("/{a=}", "'}' at byte 4"), ("/{a.}", "'}' at byte 4"),
            ("/{.a}", "'.' at byte 2"), ("/{1a}", "'1' at byte 2"), ("/{a}{b}", "'{' at byte 4"),
            ("/{a={b}}", "contains a variable"), ("/{a}/{a}", "variable 'a' twice"),
            ("/**/x", "must be the last"), ("/{a=**}/x", "must be the last"),
            ("/***", "'*' at byte 3"),
            ("/a*", "'*' at byte 2"), ("/*a", "'a' at byte 2"), ("/a:", "the verb"),
            ("/a:b:c", "the verb"), ("/a:b/c", "the verb"), ("/a?b", "'?' at byte 2"),
            ("/a b", "a character at byte 2"), ("/é", "a character at byte 1"), ("/%", "'%'"),
            ("/%4", "'%'"), ("/%zz", "'%'"), ("/a}", "'}' at byte 2"), ("/a=b", "'=' at byte 2"),
        ])
    func invalid(text: String, reason: String) {
        let error = #expect(throws: PathTemplate.Invalid.self) { try PathTemplate(text) }
        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }

    @Test("The numbers of segments and bytes are bounded")
    func bounds() throws {
        let most = String(repeating: "/a", count: PathTemplate.maximumSegments)
        #expect(try PathTemplate(most).segments.count == 64)
        #expect(throws: PathTemplate.Invalid.self) { try PathTemplate(most + "/a") }
        let longest = "/" + String(repeating: "a", count: PathTemplate.maximumBytes - 1)
        #expect(try PathTemplate(longest).description == longest)
        #expect(throws: PathTemplate.Invalid.self) { try PathTemplate(longest + "a") }
    }

    @Test("A multi-segment variable is one that can have slashes")
    func multi() throws {
        let template = try PathTemplate("/{a}/{b=x}/{c=x/*}/{d=**}")
        #expect(template.variables.map(\.isMulti) == [false, false, true, true])
        #expect(template.variables.map(\.segments) == [0..<1, 1..<2, 2..<4, 4..<5])
    }
}
