internal import MessageYAML
internal import Messages
internal import Testing

/// Valid and invalid YAML scalars and nesting.
@Suite struct YAMLValuesTests {
    private static let fields = [
        "double_value", "float_value", "int32_value", "int64_value", "uint32_value", "uint64_value",
        "sint32_value", "sint64_value", "fixed32_value", "fixed64_value", "sfixed32_value",
        "sfixed64_value", "bool_value", "string_value", "bytes_value", "kind", "nested", "time",
        "numbers", "texts", "kinds", "doubles", "maybe_number", "counts", "by_number", "by_flag",
        "choice_number",
    ]

    private static let scalars =
        JSONNumbersTests.values + [
            "", "~", "Null", "NULL", "yes", "No", "on", "OFF", "True", ".inf", "-.inf", "+.INF",
            ".nan", "1:30", "-1:30:00", "1:1:1:1:1:1:1:1:1:1:1:1:1", "9223372036854775807:59",
            "99999999999999999999:1", "1:", ":1", "::", "1:2:3:4:5:6:7:8",
            "0:0:0:0:0:0:0:0:0:0:0:0",
            "1.5:30", "0x7fffffffffffffff", "0xffffffffffffffff", "0xfffffffffffffffff", "-0x1",
            "0o17", "017", "08", "0b101", "0b" + String(repeating: "1", count: 65), "1_000_000",
            "_", "__1", "-_1", "1e1_0", "2001-12-14t21:59:43.10-05:00", "2001-12-14",
            "99999-99-99", "!!int 5", "!!float x", "!!str 5", "!!binary 5", "!!timestamp 5",
            "!!null x", "!!bool x", "!!set {a}", "!!omap [a: 1]", "!<tag:example> 1", "&a 1", "*a",
            "'5'", "|\\n  5", "{<<: {a: 1}}", "? a", "- 1", "@", "`", "%", "\\t1",
        ]

    private static func message(_ text: String) throws(MessageError) -> Weir_Test_Everything {
        try YAMLDocument(text, name: "input").message()
    }

    @Test("Any scalar in any field is a value, or an error with the line", arguments: fields)
    func handlesScalars(field: String) {
        for scalar in Self.scalars {
            let text = "# a comment\n\(field): \(scalar)\n"
            do throws(MessageError) {
                let message = try Self.message(text)
                let written = try YAMLDocument.text(of: message)
                let again = try Self.message(written)
                #expect(
                    try again.serializedBytes() == message.serializedBytes(), "\(text)\(written)")
            } catch {
                // An unclosed value is an error at the end, in line 3.
                let lines = ["input:2:", "input:3:"]
                #expect(
                    lines.contains { error.description.contains($0) }, "\(text)\(error)")
            }
        }
    }

    @Test(
        "A scalar is a number as in YAML 1.2, without base 60",
        arguments: [
            ("uint64_value: 18446744073709551615", .init(uint64Value: .max)),
            ("uint64_value: 0xffffffffffffffff", .init(uint64Value: .max)),
            ("int64_value: -9223372036854775808", .init(int64Value: .min)),
            ("int32_value: 1_000", .init(int32Value: 1_000)),
            ("int32_value: 0x1F", .init(int32Value: 31)),
            ("double_value: .inf", .init(doubleValue: .infinity)),
            ("double_value: 1e300", .init(doubleValue: 1e300)),
            ("string_value: 1:30", .init(stringValue: "1:30")),
            ("string_value: inf", .init(stringValue: "inf")),
            ("string_value: nan", .init(stringValue: "nan")),
        ] as [(String, Weir_Test_Everything)])
    func readsNumbers(text: String, message: Weir_Test_Everything) throws {
        #expect(try Self.message(text) == message)
    }

    @Test(
        "Text that resembles another type is written so that it is read as text",
        arguments: [
            "", "~", "null", "true", "no", "5", "-0", "1e5", ".inf", "0x1", "1:30", "1_0", "nan",
            "1:1:1:1:1:1:1:1:1:1:1:1:1",
        ])
    func quotesText(text: String) throws {
        let message = Weir_Test_Everything(stringValue: text, texts: [text], counts: [text: 1])
        #expect(try Self.message(try YAMLDocument.text(of: message)) == message)
    }

    /// Characters and words with a meaning in YAML, or that writers and readers treat specially.
    private static let pieces = [
        "a", "Z", "é", "日", "\u{1f600}", "0", "1", "9", "_", ".", "-", "+", ":", ",", "?", "!",
        "&", "*", "#", "|", ">", "@", "`", "%", "\"", "'", "\\", "/", "{", "}", "[", "]", "<", "=",
        "~", " ", "  ", "\t", "\n", "\n\n", "\r", "\r\n", "\u{1}", "\u{7f}", "\u{85}", "\u{a0}",
        "\u{2028}", "\u{2029}", "\u{feff}", "\\uFEFF", "\\", "\u{fffd}", "\u{fffe}", "\u{10ffff}",
        "\u{e000}", "\u{9f}", "\u{0}", " &a ", String(repeating: "k", count: 1_100),
        "null", "true", "No", "on",
        "---", "...", "<<", "0x", "0b", "1e", "2001-01-01", "12:30", ": ", " #", "- ", "!!str ",
        String(repeating: "x", count: 120), String(repeating: "word ", count: 30),
    ]

    /// A string of JSON in which every code unit is escaped.
    private static func escaped(_ text: String) -> String {
        let units = text.utf16.map { unit in
            let digits = String(unit, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
        return "\"\(units.joined())\""
    }

    @Test("Any text in any position is read as written", arguments: 1...4)
    func writesAnyText(seed: Int) throws {
        var schema = Schema()
        try schema.add(Weir_Test_Everything._file)
        let transcoder = JSONTranscoder(schema: schema)
        var random = Numbers(state: UInt64(seed))
        for _ in 0..<60 {
            let count = Int.random(in: 0...6, using: &random)
            let text = (0..<count).map { _ in
                Self.pieces.randomElement(using: &random) ?? ""
            }.joined()
            let message = Weir_Test_Everything(
                stringValue: text, texts: [text, "a" + text, text + "a"], counts: [text: 1])
            let json = try transcoder.json(
                from: try message.serializedBytes(),
                message: Weir_Test_Everything.messageName ?? "")
            let (one, more, other) = (
                Self.escaped(text), Self.escaped("a" + text), Self.escaped(text + "a")
            )
            let escaped = """
                {"stringValue": \(one), "texts": [\(one), \(more), \(other)], "counts": {\(one)
                : 1}}
                """
            for written in [
                try YAMLDocument.text(of: message), json.text(indent: 2), json.text(indent: 0),
                "\u{feff}" + json.text(), escaped,
            ] {
                #expect(
                    try Self.message(written) == message, "seed \(seed): \(text.debugDescription)")
            }
        }
    }

    @Test(
        "U+FEFF is part of a string in every style, except at the beginning of a file",
        arguments: [
            ("\"\\uFEFFa\"", "\u{feff}a"), ("\"\\ufeff\\U0000FEFF\"", "\u{feff}\u{feff}"),
            ("\"\u{feff}a\u{feff}\"", "\u{feff}a\u{feff}"), ("'\u{feff}a'", "\u{feff}a"),
            ("a\u{feff}\u{feff}b", "a\u{feff}\u{feff}b"), ("!!str \"\\uFEFFa\"", "\u{feff}a"),
            ("|-\n  \u{feff}a", "\u{feff}a"), ("'\\uFEFF'", "\\uFEFF"),
            ("\\uFEFF\\uFEFFa", "\\uFEFF\\uFEFFa"), ("'\\\\uFEFF'", "\\\\uFEFF"),
            ("\"\\\\uFEFF\"", "\\uFEFF"), ("\"\\\\\\uFEFF\"", "\\\u{feff}"),
        ])
    func keepsByteOrderMarks(scalar: String, text: String) throws {
        for begin in ["", "\u{feff}"] {
            let message = try Self.message("\(begin)string_value: \(scalar)\n")
            #expect(message.stringValue == text, "\(scalar.debugDescription)")
        }
        let keyed = try Self.message("counts: {\"\\uFEFFa\": 1}")
        #expect(keyed.counts == ["\u{feff}a": 1])
    }

    @Test("JSON with a duplicate key is rejected, even if it is not YAML")
    func rejectsDuplicates() {
        let long = String(repeating: "k", count: 1_100)
        for key in ["a", "\\ud83d\\ude00", "\u{7f}", long] {
            let error = #expect(throws: MessageError.self) {
                try Self.message("{\"counts\": {\"\(key)\": 1,\n \"\(key)\": 2}}")
            }
            #expect(error?.description.contains("duplicate") == true)
        }
    }

    @Test("Errors in JSON contain the line")
    func locatesJSON() {
        let error = #expect(throws: MessageError.self) {
            try Self.message("{\n\"texts\": [\"\"],\n\"int32Value\": \"x\"}")
        }
        #expect(error?.description.hasPrefix("input:3: int32Value: ") == true)
    }

    /// A random generator with a fixed seed.
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }

    @Test(
        "Names, addresses and routes are written without quotes, ambiguous texts with quotes",
        arguments: [
            ("greeter-v1", true), ("/my.Model/", true), ("127.0.0.1:50051", true),
            ("model.svc.cluster.local:80", true), ("a: b", false), ("10.5", false),
            ("2001-01-01", false), ("2001-12-14 21:59:43.10 -5", false), ("12:30", false),
            ("0o17", false), ("0x1F", false), ("Y", false), ("off", false), ("NULL", false),
            ("5000000000", false), ("1_000", false), ("é", false), ("[::1]:2", false),
        ])
    func quotesAmbiguousText(text: String, isPlain: Bool) throws {
        let written = try YAMLDocument.text(of: Weir_Test_Everything(stringValue: text))
        #expect((written == "string_value: \(text)\n") == isPlain, "\(written)")
    }

    @Test(
        "An out-of-range number is rejected with the line and the range",
        arguments: [
            ("int32_value: 2147483648", "must be a whole number from -2147483648"),
            ("int32_value: 1:30", "must be a whole number"),
            ("uint64_value: -1", "must be a whole number from 0"),
            ("double_value: 1e999", "must be a number"),
            ("float_value: 1e300", "must be within"),
            ("string_value: 5", "must be a string"),
        ])
    func rejectsNumbers(text: String, reason: String) {
        let error = #expect(throws: MessageError.self) { try Self.message("\n\n" + text) }
        #expect(error?.description.hasPrefix("input:3: ") == true)
        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }

    @Test(
        "Nesting that is too deep is rejected without recursion",
        arguments: [
            String(repeating: "[", count: 300) + String(repeating: "]", count: 300),
            String(repeating: "[", count: 100_000), String(repeating: "{a: ", count: 100_000),
            String(repeating: "- ", count: 100_000) + "a",
            String(repeating: "? ", count: 100_000),
            (0..<4_000).map { String(repeating: " ", count: $0 % 2_000) + "a:" }.joined(
                separator: "\n"),
        ])
    func handlesNesting(text: String) {
        #expect(throws: MessageError.self) { try Self.message("nested: " + text) }
        #expect(throws: MessageError.self) { try Self.message(text) }
    }

    @Test("Nested aliases that expand to too many values or levels are rejected")
    func handlesAliases() {
        var wide = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        var deep = "a0: &a0 x\n"
        for index in 1..<30 {
            let list = [String](repeating: "*a\(index - 1)", count: 10).joined(separator: ", ")
            wide += "a\(index): &a\(index) [\(list)]\n"
            let (open, close) = (
                String(repeating: "[", count: 900), String(repeating: "]", count: 900)
            )
            deep += "a\(index): &a\(index) \(open)*a\(index - 1)\(close)\n"
        }
        for text in [wide, deep, "a: &a [*a]", "a: *b", "a: &a *a"] {
            #expect(throws: MessageError.self) { try Self.message(text) }
        }
    }

    @Test("A document may have 30 anchors, and ampersands in text")
    func limitsAnchors() throws {
        func texts(_ count: Int) -> String {
            "texts:\n" + (0..<count).map { "- &a\($0) x\n- a&b && c=1&d\n" }.joined()
                + "- *a\(count - 1)\n"
        }
        #expect(try Self.message(texts(30)).texts.count == 61)
        let error = #expect(throws: MessageError.self) { try Self.message(texts(31)) }
        #expect(error?.description == "input has more than 30 anchors (&name)")
    }
}
