internal import Messages
internal import Testing

/// Numbers in JSON, in fields of every kind.
@Suite struct JSONNumbersTests {
    private static let fields = [
        "doubleValue", "floatValue", "int32Value", "int64Value", "uint32Value", "uint64Value",
        "sint32Value", "sint64Value", "fixed32Value", "fixed64Value", "sfixed32Value",
        "sfixed64Value", "boolValue", "stringValue", "bytesValue", "kind", "nested", "time",
        "numbers", "texts", "kinds", "doubles", "maybeNumber", "maybeKind", "counts", "byNumber",
        "byFlag", "choiceNumber", "choiceKind",
    ]

    /// JSON numbers, and texts that resemble them.
    static let values = [
        "0", "-0", "-0.0", "1", "-1", "1.0", "1.5", "1e3", "1E+3", "1e-3", "127", "128", "255",
        "2147483647", "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296",
        "9007199254740992", "9007199254740993", "9223372036854775807", "9223372036854775808",
        "-9223372036854775808", "-9223372036854775809", "18446744073709551615",
        "18446744073709551616", "99999999999999999999", "1e19", "1e20", "1e38", "3.5e38", "1e300",
        "-1e300", "1.7976931348623157e308", "1.8e308", "1e309", "-1e309", "1e999999999999",
        "1e-300",
        "5e-324", "1e-400", "01", "-01", "+1", ".5", "5.", "1e", "0x1", "1_000", "-", "--1", "NaN",
        "Infinity", "-Infinity", "nan", "inf", "null", "true", "false", "[]", "{}", "[1]",
        #"{"1":1}"#, #"{"1e999":1}"#, #"{"true":1}"#, #"{"-1":{}}"#, #""""#, #"" ""#,
        #""\u0000""#, #""\ud800""#, #""\udc00\ud800""#, #""\ud83d\ude00""#, "{\"a\":1,\"a\":2}",
    ]

    private static func transcoder() throws -> JSONTranscoder {
        var schema = Schema()
        try schema.add(Weir_Test_EverythingProto.file)
        try schema.add(WeirProtobuf_StructProto.file)
        try schema.add(WeirProtobuf_WrappersProto.file)
        return JSONTranscoder(schema: schema)
    }

    @Test("Any number in any field, bare or as a string, is a value or an error", arguments: fields)
    func handlesNumbers(field: String) throws {
        let transcoder = try Self.transcoder()
        for value in Self.values.flatMap({ [$0, $0.hasPrefix("\"") ? $0 : "\"\($0)\""] }) {
            let text = "{\"\(field)\":\(value)}"
            do throws(MessageError) {
                let json = try JSONValue(parsing: text)
                let bytes = try transcoder.bytes(from: json, message: "weir.test.Everything")
                // An accepted value encodes to a message, and converts back to equivalent JSON.
                _ = try Weir_Test_Everything(serializedBytes: bytes)
                let back = try transcoder.json(from: bytes, message: "weir.test.Everything")
                let again = try JSONValue(parsing: back.text(indent: 0))
                let rewritten = try transcoder.bytes(from: again, message: "weir.test.Everything")
                let second = try transcoder.json(from: rewritten, message: "weir.test.Everything")
                #expect(second.text(indent: 0) == back.text(indent: 0), "\(text)")
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }

    @Test("Any number in a Value, a Struct or a wrapper is a value or an error")
    func handlesNumbersInWellKnownTypes() throws {
        let transcoder = try Self.transcoder()
        for value in Self.values {
            for name in [
                "Value", "Struct", "ListValue", "DoubleValue", "FloatValue", "Int64Value",
                "UInt64Value", "Int32Value", "UInt32Value", "BoolValue", "StringValue",
                "BytesValue",
            ] {
                guard let json = try? JSONValue(parsing: value),
                    let bytes = try? transcoder.bytes(
                        from: json, message: "google.protobuf.\(name)")
                else { continue }
                #expect(throws: Never.self) {
                    try transcoder.json(from: bytes, message: "google.protobuf.\(name)")
                }
            }
        }
    }

    @Test(
        "A number outside a field's range is rejected with the field and the range",
        arguments: [
            ("int32Value", "2147483648", "a whole number from -2147483648 to 2147483647"),
            ("int32Value", "1e300", "a whole number from -2147483648 to 2147483647"),
            ("int32Value", "1.5", "a whole number from"),
            ("uint64Value", "18446744073709551616", "from 0 to 18446744073709551615"),
            ("uint64Value", "-1", "from 0 to 18446744073709551615"),
            ("int64Value", #""1e300""#, "from -9223372036854775808 to 9223372036854775807"),
            ("int64Value", "9223372036854775808", "from -9223372036854775808"),
            ("fixed32Value", "4294967296", "from 0 to 4294967295"),
            ("floatValue", "1e39", "must be within ±3.4028235e+38"),
            ("floatValue", #""-1e39""#, "must be within ±3.4028235e+38"),
            ("doubleValue", #""1e999""#, "must be a number"),
            ("doubleValue", #""nan""#, "must be a number"),
            (
                "doubleValue", "1e999",
                "contains an invalid number (perhaps beyond a double's range)"
            ),
            ("kind", "2147483648", "a whole number from"),
            ("doubles", "[1, 1e999]", "contains an invalid number"),
        ])
    func rejectsNumbers(field: String, value: String, reason: String) throws {
        let transcoder = try Self.transcoder()
        let error = #expect(throws: MessageError.self) {
            try transcoder.bytes(
                from: try JSONValue(parsing: "{\"\(field)\":\(value)}"),
                message: "weir.test.Everything")
        }
        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
        #expect(error?.field?.hasPrefix(field) == true)
    }

    @Test(
        "The largest and the smallest numbers are kept exactly",
        arguments: [
            ("uint64Value", "18446744073709551615"), ("int64Value", "-9223372036854775808"),
            ("int64Value", "9223372036854775807"), ("sint64Value", "-9223372036854775808"),
            ("fixed64Value", "18446744073709551615"), ("sfixed64Value", "9007199254740993"),
        ])
    func keepsExtremes(field: String, value: String) throws {
        let transcoder = try Self.transcoder()
        for text in [value, "\"\(value)\""] {
            let bytes = try transcoder.bytes(
                from: try JSONValue(parsing: "{\"\(field)\":\(text)}"),
                message: "weir.test.Everything")
            #expect(
                try transcoder.json(from: bytes, message: "weir.test.Everything").text(indent: 0)
                    == "{\"\(field)\":\"\(value)\"}")
        }
    }

    @Test(
        "JSON may nest 200 levels deep, and no deeper", arguments: [200, 201, 512, 513, 1_000_000])
    func limitsNesting(depth: Int) {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let text =
                String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
            let value = try? JSONValue(parsing: text)
            #expect((value != nil) == (depth <= 200))
            if let value { #expect(value.text(indent: 0) == text) }
        }
    }

    @Test("64-bit integers that differ by one differ, even if their doubles are equal")
    func comparesExactly() throws {
        var schema = Schema()
        try schema.add(Weir_Test_EverythingProto.file)
        func differences(
            _ left: Weir_Test_Everything, _ right: Weir_Test_Everything, _ rules: DiffRules
        ) throws -> [String] {
            var diff = MessageDiff(schema: schema, rules: rules)
            try diff.compare(
                try left.serializedBytes(), try right.serializedBytes(),
                message: "weir.test.Everything")
            return diff.differences.map(\.path)
        }
        let (one, other) = (
            Weir_Test_Everything(int64Value: .max, uint64Value: .max),
            Weir_Test_Everything(int64Value: .max - 1, uint64Value: .max - 1)
        )
        #expect(try differences(one, other, DiffRules()) == ["int64_value", "uint64_value"])
        let lenient = DiffRules(tolerances: [
            "int64_value": .init(absolute: 1, relative: 0),
            "uint64_value": .init(absolute: 0, relative: 1e-9),
        ])
        #expect(try differences(one, other, lenient) == [])
    }
}
