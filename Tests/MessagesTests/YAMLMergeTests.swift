internal import MessageYAML
internal import Messages
internal import Testing

/// Merge keys (yaml.org/type/merge) and byte order marks.
@Suite struct YAMLMergeTests {
    private static func message(_ text: String) throws(MessageError) -> Weir_Test_Everything {
        try YAMLDocument(text, name: "input").message()
    }

    @Test(
        "A merge key adds the members that a mapping does not have",
        arguments: [
            ("{<<: {a: 5}, b: 1}", ["a": 5, "b": 1]),
            ("{a: 1, <<: {a: 5, b: 2}}", ["a": 1, "b": 2]),
            ("{<<: [{a: 5}, {a: 6, b: 7}]}", ["a": 5, "b": 7]),
            ("{<<: {<<: {a: 5}, b: 1}, c: 2}", ["a": 5, "b": 1, "c": 2]),
            ("{<<: [], a: 1}", ["a": 1]), ("{<<: {}, a: 1}", ["a": 1]),
        ])
    func merges(text: String, counts: [String: Int64]) throws {
        #expect(try Self.message("counts: \(text)").counts == counts)
    }

    @Test("The mapping of an anchor is merged")
    func anchors() throws {
        let text = """
            nested: {children: [&base {text: a, children: []}, {<<: *base}, {<<: *base, text: b}]}
            """
        #expect(try Self.message(text).nested?.children.map(\.text) == ["a", "a", "b"])
    }

    @Test(
        "A merge key with another value is an error that names it",
        arguments: ["5", "text", "~", "[5]", "[[{a: 1}]]", "[{a: 1}, 5]"])
    func rejects(value: String) {
        #expect {
            _ = try Self.message("counts: {<<: \(value)}")
        } throws: { error in
            "\(error)".contains("invalid merge key '<<'")
        }
    }

    @Test(
        "An error has one position, and the reason in words",
        arguments: [
            ("counts:\n  <<: text", "a.yaml:2: invalid merge key '<<'"),
            ("int32_value: 1\n? [a]\n: 1", "a.yaml:2: a key must be a string"),
            (
                "int32_valu: 1",
                "a.yaml:1: int32_valu: is not a field of weir.test.Everything; did you mean "
                    + "'int32_value'?"
            ),
            (
                String(repeating: "[", count: 5_000),
                "invalid YAML: it nests deeper than 200 levels"
            ),
            ("{\"counts\": 1, \"counts\": 2}", "a.yaml:1: duplicate key 'counts'"),
        ])
    func positions(text: String, expected: String) {
        #expect {
            _ = try YAMLDocument(text, name: "a.yaml").message() as Weir_Test_Everything
        } throws: { error in
            "\(error)".contains(expected) && !"\(error)".contains("JSON")
        }
    }

    @Test(
        "An error of JSON in a file that is not called YAML is that of JSON",
        arguments: [
            (
                "{\"counts\": 1,\n \"counts\": 2}",
                "the document has the duplicate key 'counts' (line 2, column 2 of the JSON)"
            ),
            (
                String(repeating: "[", count: 100_000),
                "the document nests deeper than 200 levels (line 1, column 201 of the JSON)"
            ),
        ])
    func positions(json: String, expected: String) {
        #expect(throws: MessageError("a.json: invalid JSON: \(expected)")) {
            try YAMLDocument(json, name: "a.json")
        }
    }

    @Test("A quoted key is an ordinary key, and is written with quotes")
    func quoted() throws {
        let message = try Self.message("counts: {'<<': 1}")
        #expect(message.counts == ["<<": 1])
        #expect(try Self.message(try YAMLDocument.text(of: message)) == message)
    }

    @Test("Nested merges cannot produce more values than the bound")
    func bomb() {
        var lines = ["a0: &a0 {x: 1}"]
        for level in 1...8 {
            let list = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            lines.append("a\(level): &a\(level) {<<: [\(list)]}")
        }
        #expect {
            _ = try Self.message(lines.joined(separator: "\n"))
        } throws: { error in
            "\(error)".contains("values after aliases are resolved")
        }
    }

    @Test(
        "A field in two spellings is an error",
        arguments: ["int32_value: 1\nint32Value: 2", "{\"int32_value\": 1, \"int32Value\": 1}"])
    func spellings(text: String) {
        #expect {
            _ = try Self.message(text)
        } throws: { error in
            "\(error)".contains("is given twice, also as 'int32_value'")
        }
    }

    @Test("A byte order mark at the start of a document is skipped")
    func byteOrderMark() throws {
        #expect(try Self.message("\u{feff}int32_value: 5\nstring_value: a\n").stringValue == "a")
        #expect(try Self.message("\u{feff}---\nint32_value: 5\n").int32Value == 5)
        #expect(try Self.message("\u{feff}{\"int32_value\": 5}").int32Value == 5)
    }
}
