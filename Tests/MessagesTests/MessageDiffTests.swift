internal import Messages
internal import Testing

@Suite struct MessageDiffTests {
    private typealias Everything = Weir_Test_Everything

    private static func differences(
        _ left: [UInt8], _ right: [UInt8], _ rules: DiffRules = DiffRules()
    ) throws -> [MessageDiff.Difference] {
        var schema = Schema()
        try schema.add(Weir_Test_EverythingProto.file)
        var diff = MessageDiff(schema: schema, rules: rules)
        try diff.compare(left, right, message: "weir.test.Everything")
        return diff.differences
    }

    /// The differences between a message and a changed copy, as "path | place | left | right".
    private static func lines(
        _ rules: DiffRules = DiffRules(), from left: Everything = Everything(),
        change: (inout Everything) -> Void
    ) throws -> [String] {
        var right = left
        change(&right)
        return try differences(
            try left.serializedBytes(), try right.serializedBytes(), rules
        ).map { "\($0.path) | \($0.place) | \($0.left) | \($0.right)" }
    }

    /// Changes to an empty message, and the expected differences.
    private static let changes: [(change: @Sendable (inout Everything) -> Void, line: String)] = [
        ({ $0.stringValue = "a" }, #"string_value | string_value | "" | "a""#),
        ({ $0.int32Value = -1 }, "int32_value | int32_value | 0 | -1"),
        ({ $0.uint64Value = .max }, #"uint64_value | uint64_value | "0" | "18446744073709551615""#),
        ({ $0.sint32Value = -2 }, "sint32_value | sint32_value | 0 | -2"),
        ({ $0.doubleValue = .nan }, #"double_value | double_value | 0 | "NaN""#),
        ({ $0.boolValue = true }, "bool_value | bool_value | false | true"),
        ({ $0.bytesValue = [1, 2] }, #"bytes_value | bytes_value | "" | "AQI=""#),
        ({ $0.kind = .one }, #"kind | kind | "KIND_UNSPECIFIED" | "KIND_ONE""#),
        ({ $0.maybeNumber = 0 }, "maybe_number | maybe_number | absent | 0"),
        ({ $0.nested = .init() }, "nested | nested | absent | {}"),
        (
            { $0.time = .init(seconds: 1) },
            #"time | time | absent | "1970-01-01T00:00:01Z""#
        ),
        ({ $0.choice = .choiceFlag(false) }, "choice_flag | choice_flag | absent | false"),
        ({ $0.counts = ["de": 1] }, #"counts[] | counts["de"] | absent | "1""#),
        ({ $0.numbers = [7] }, "numbers | numbers | 0 elements | 1 elements"),
    ]

    @Test("A difference contains the field and both values", arguments: changes.indices)
    func names(_ index: Int) throws {
        let (change, line) = Self.changes[index]
        #expect(try Self.lines(change: change) == [line])
    }

    @Test("A nested difference contains the path and the position")
    func nests() throws {
        var left = Everything()
        left.nested = .init(text: "a", children: [.init(text: "b"), .init(text: "c")])
        left.byNumber = [3: .init(text: "x"), 4: .init(text: "y")]
        let lines = try Self.lines(from: left) {
            $0.nested?.children[1].text = "C"
            $0.byNumber[4] = .init(text: "Y")
        }
        #expect(
            lines == [
                #"nested.children[].text | nested.children[1].text | "c" | "C""#,
                #"by_number[].text | by_number[4].text | "y" | "Y""#,
            ])
    }

    @Test("Lists of different lengths are compared up to the shorter length")
    func comparesLists() throws {
        var left = Everything()
        left.texts = ["a", "b"]
        let lines = try Self.lines(from: left) { $0.texts = ["a", "B", "c"] }
        #expect(
            lines == [
                "texts | texts | 2 elements | 3 elements", #"texts[] | texts[1] | "b" | "B""#,
            ])
    }

    /// Two encodings of one message, field by field: number, wire type and bytes.
    private static let encodings: [(left: [UInt8], right: [UInt8])] = [
        // Fields in another order.
        ([0x18, 1, 0x72, 1, 0x61], [0x72, 1, 0x61, 0x18, 1]),
        // An explicit default.
        ([0x18, 0], []),
        // Packed and unpacked.
        ([0x9a, 1, 2, 1, 2], [0x98, 1, 1, 0x98, 1, 2]),
        // The last value counts.
        ([0x18, 1, 0x18, 2], [0x18, 2]),
        // Entries of a map in another order.
        (
            [0xea, 1, 5, 0x0a, 1, 0x61, 0x10, 1, 0xea, 1, 5, 0x0a, 1, 0x62, 0x10, 2],
            [0xea, 1, 5, 0x0a, 1, 0x62, 0x10, 2, 0xea, 1, 5, 0x0a, 1, 0x61, 0x10, 1]
        ),
        // A message in two parts.
        ([0x8a, 1, 0, 0x8a, 1, 3, 0x0a, 1, 0x61], [0x8a, 1, 3, 0x0a, 1, 0x61]),
        // Minus zero.
        ([0x09, 0, 0, 0, 0, 0, 0, 0, 0x80], []),
    ]

    @Test("Two encodings of one message are the same", arguments: encodings)
    func ignoresEncodings(_ left: [UInt8], _ right: [UInt8]) throws {
        #expect(try Self.differences(left, right).isEmpty)
    }

    @Test("NaN is NaN")
    func comparesNaN() throws {
        var left = Everything()
        left.doubleValue = .nan
        #expect(try Self.lines(from: left) { $0.doubleValue = -.nan }.isEmpty)
    }

    @Test("Fields without a descriptor are compared by number")
    func comparesUnknownFields() throws {
        // Field 100, a varint, and field 101, bytes.
        let left: [UInt8] = [0xa0, 6, 1, 0xaa, 6, 1, 0x61]
        let right: [UInt8] = [0xa0, 6, 2]
        let found = try Self.differences(left, right)
        #expect(found.map(\.path) == ["#100", "#101"])
        #expect(found.map(\.left) == ["1", "1 bytes"])
        #expect(found.map(\.right) == ["2", "absent"])
        #expect(try Self.differences(left, right, DiffRules(ignored: ["#100", "#101"])).isEmpty)
    }

    @Test(
        "An ignored field is ignored with everything inside it",
        arguments: ["nested", "nested.children", "nested.children[]", "nested.children.text"])
    func ignores(_ path: String) throws {
        var left = Everything()
        left.nested = .init(children: [.init(text: "b")])
        let lines = try Self.lines(DiffRules(ignored: [path]), from: left) {
            $0.nested?.children[0].text = "c"
        }
        #expect(lines.isEmpty)
    }

    @Test("A rule for a field does not apply to another field with the same prefix")
    func ignoresNothingElse() throws {
        let rules = DiffRules(ignored: ["nest", "nested.childre", "texts.x"])
        #expect(try Self.lines(rules) { $0.nested = .init() }.count == 1)
        #expect(try Self.lines(rules) { $0.texts = ["a"] }.count == 1)
    }

    @Test(
        "Numbers may differ up to the tolerance of their field",
        arguments: [
            (100.0, 101.0, 1.0, 0.0, true), (100, 101.001, 1, 0, false),
            (100, 101, 0, 0.01, true), (100, 102, 0, 0.01, false), (0, 0.5, 0.5, 0, true),
            (.nan, 1, 1, 1, false), (-1, 1, 2, 0, true),
        ])
    func tolerates(
        _ left: Double, _ right: Double, _ absolute: Double, _ relative: Double, _ same: Bool
    ) throws {
        let tolerance = DiffRules.Tolerance(absolute: absolute, relative: relative)
        var message = Everything()
        message.doubleValue = left
        message.doubles = [left]
        let rules = DiffRules(tolerances: ["double_value": tolerance, "doubles": tolerance])
        let lines = try Self.lines(rules, from: message) {
            $0.doubleValue = right
            $0.doubles = [right]
        }
        #expect(lines.isEmpty == same, "\(lines)")
    }

    @Test("A tolerance applies to 64-bit integers, which are strings in JSON")
    func toleratesIntegers() throws {
        let rules = DiffRules(tolerances: ["int64_value": .init(absolute: 5, relative: 0)])
        #expect(try Self.lines(rules) { $0.int64Value = 5 }.isEmpty)
        #expect(try Self.lines(rules) { $0.int64Value = 6 }.count == 1)
    }

    @Test("The limit bounds the number of differences", arguments: [1, 2, 3])
    func isBounded(_ limit: Int) throws {
        var schema = Schema()
        try schema.add(Weir_Test_EverythingProto.file)
        var diff = MessageDiff(schema: schema, limit: limit)
        var right = Everything()
        right.int32Value = 1
        right.boolValue = true
        try diff.compare([], try right.serializedBytes(), message: "weir.test.Everything")
        #expect(diff.differences.count == min(limit, 2))
    }

    @Test(
        "Bytes of another type are rejected",
        arguments: [[0x18] as [UInt8], [0x72, 1, 0xff], [0x8a, 1, 9]])
    func rejects(_ bytes: [UInt8]) {
        #expect(throws: MessageError.self) { try Self.differences(bytes, []) }
    }

    @Test("A value of another wire type is an unknown field, as for protobuf's parsers")
    func comparesOtherTypes() throws {
        #expect(try Self.differences([0x1a, 1, 1], []).map(\.path) == ["#3"])
    }

    @Test("Texts that are only canonically equivalent differ")
    func comparesCodePoints() throws {
        #expect(try Self.lines { $0.stringValue = "\u{e9}" }.count == 1)
        #expect(
            try Self.differences(
                Everything(stringValue: "e\u{301}").serializedBytes(),
                Everything(stringValue: "\u{e9}").serializedBytes()
            ).count == 1)
        #expect(
            try Self.differences(
                Everything(counts: ["K": 1]).serializedBytes(),
                Everything(counts: ["\u{212a}": 1]).serializedBytes()
            ).count == 2)
    }

    /// The differences between two JSON responses to dynamic calls.
    private static func answers(
        _ left: String, _ right: String, _ rules: DiffRules = DiffRules(),
        types: (String, String) = ("application/json", "")
    ) throws -> [String] {
        var schema = Schema()
        try schema.add(Weir_V1_ServeProto.file)
        var diff = MessageDiff(schema: schema, rules: rules)
        try diff.compare(
            try Weir_V1_CallResponse(payload: Array(left.utf8), contentType: types.0)
                .serializedBytes(),
            try Weir_V1_CallResponse(payload: Array(right.utf8), contentType: types.1)
                .serializedBytes(),
            message: "weir.v1.CallResponse")
        return diff.differences.map { "\($0.path) | \($0.place) | \($0.left) | \($0.right)" }
            .filter { !$0.hasPrefix("content_type") }
    }

    @Test(
        "JSON responses are compared by value",
        arguments: [
            (#"{"a": 1, "b": [1, 2]}"#, #"{"b":[1,2],"a":1.0}"#, []),
            (#"{"a": 1}"#, #"{"a": 2}"#, ["payload.a | payload.a | 1 | 2"]),
            (
                #"{"a": 1}"#, #"{"b": 1}"#,
                [
                    "payload.a | payload.a | 1 | absent", "payload.b | payload.b | absent | 1",
                ]
            ),
            (
                #"[{"x": "a"}, {"x": "b"}]"#, #"[{"x": "a"}, {"x": "c"}]"#,
                [
                    #"payload[].x | payload[1].x | "b" | "c""#
                ]
            ),
            ("[1]", "[1, 2]", ["payload | payload | 1 elements | 2 elements"]),
            ("1", #""1""#, [#"payload | payload | 1 | "1""#]),
            ("null", "{}", ["payload | payload | null | {}"]),
        ] as [(String, String, [String])])
    func comparesJSON(left: String, right: String, expected: [String]) throws {
        #expect(try Self.answers(left, right) == expected)
    }

    @Test("The rules for fields also apply within JSON")
    func rulesInJSON() throws {
        let (left, right) = (
            #"{"at": 1, "score": 1.00, "in": {"x": 1}}"#,
            #"{"at": 2, "score": 1.01, "in": {"y": 2}}"#
        )
        let rules = DiffRules(
            ignored: ["payload.at", "payload.in"],
            tolerances: ["payload.score": .init(absolute: 0.02, relative: 0)])
        #expect(try Self.answers(left, right, rules).isEmpty)
        #expect(try Self.answers(left, right).count == 4)
    }

    @Test("Payloads that are not both JSON are compared byte by byte")
    func comparesOthersByBytes() throws {
        #expect(try Self.answers("{", "}") == [#"payload | payload | "ew==" | "fQ==""#])
        let text = ("text/plain", "text/plain; charset=utf-8")
        #expect(
            try Self.answers("1", "1.0", types: text) == [#"payload | payload | "MQ==" | "MS4w""#])
        #expect(try Self.answers("1", "1.0", types: ("application/x+json", "")).isEmpty)
    }
}
