internal import Messages
internal import Testing

/// The text of JSON, as far as its content does not matter.
@Suite struct JSONParserTests {
    @Test(
        "Text that is not JSON is rejected with the position and the path",
        arguments: [
            ("", "the document ends where a value must follow (line 1, column 1 of the JSON)"),
            (
                "{\n \"a\": [1, }",
                "field a[1] has no valid value here (line 2, column 11 of the JSON)"
            ),
            ("{\"a\": {\"b\": tru}}", "field a.b has no valid value here (line 1, column 13"),
            ("{\"a\": 1, \"a\": 2}", "the document has the duplicate key 'a' (line 1, column 10"),
            ("{\"a\": 1,}", "the document has no key in quotes here (line 1, column 9"),
            ("{\"a\" 1}", "the document has no colon after a key"),
            ("{} x", "the document has text after the end of the document (line 1, column 4"),
            ("[1 2]", "the document has neither a comma nor ']' after an element"),
            ("{\"a\": \"\\ud800\"}", "field a has an invalid \\u escape or a lone surrogate"),
            (
                "{\"a\": \"\\udc00\\ud800\"}",
                "field a has an invalid \\u escape or a lone surrogate"
            ),
            ("\"\\u12\"", "an invalid \\u escape"), ("\"\\x\"", "an invalid escape"),
            ("\"\u{1}\"", "a control character"), ("\"abc", "ends in a string"),
            ("\"\\", "ends in a string"),
            ("01", "an invalid number"), ("-", "an invalid number"), ("1.", "an invalid number"),
            ("[1e]", "field [0] contains an invalid number"), ("NaN", "no valid value"),
            ("\u{feff}{}", "no valid value"),
        ])
    func rejects(text: String, reason: String) {
        let error = #expect(throws: MessageError.self) { try JSONValue(parsing: text) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }

    @Test(
        "Invalid UTF-8 is rejected",
        arguments: [
            [0x22, 0xff, 0x22], [0x22, 0xc3, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22],
            [0x7b, 0x22, 0x80, 0x22, 0x3a, 0x31, 0x7d],
        ] as [[UInt8]])
    func rejectsInvalidUTF8(bytes: [UInt8]) {
        #expect(throws: MessageError.self) { try JSONValue(parsing: bytes) }
    }

    @Test(
        "Valid JSON is written as it was read",
        arguments: [
            "{}", "[]", "null", "true", "-1", "1.5", "-0.0", "18446744073709551615", "\"\"",
            "{\"b\":1,\"a\":{\"e\u{301}\":[{}],\"\u{e9}\":null}}",
            #"["\"\\\n\t\r\u0000","😀 / "]"#,
        ])
    func roundTrips(text: String) throws {
        #expect(try JSONValue(parsing: text).text(indent: 0) == text)
    }

    @Test("Escapes are decoded")
    func decodesEscapes() throws {
        let value = try JSONValue(parsing: #""\u00e9\ud83d\ude00\/\b\f""#)
        #expect(value.text(indent: 0) == "\"é😀/\\u0008\\u000c\"")
    }

    @Test("Keys that are only canonically equivalent differ, and equal ones are duplicates")
    func comparesKeys() throws {
        for count in [0, 20] {
            let others = (0..<count).map { "\"k\($0)\":0," }.joined()
            // U+212A is canonically equivalent to K.
            #expect(throws: Never.self) {
                try JSONValue(parsing: "{\(others)\"K\":1,\"\u{212a}\":2}")
            }
            #expect(throws: MessageError.self) {
                try JSONValue(parsing: "{\(others)\"K\":1,\"\\u004b\":2}")
            }
        }
    }
}
