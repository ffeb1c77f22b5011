internal import Messages
internal import Testing

/// `Tests/Protos/everything.proto`, through generated code, protobuf-c and JSON.
@Suite struct GeneratedCodeTests {
    private static let full: Weir_Test_Everything = {
        var message = Weir_Test_Everything(
            doubleValue: -0.5, floatValue: 1.25, int32Value: .min, int64Value: .min,
            uint32Value: .max, uint64Value: .max, sint32Value: -1, sint64Value: .min,
            fixed32Value: .max, fixed64Value: .max, sfixed32Value: -7, sfixed64Value: .max,
            boolValue: true, stringValue: "a\0b ü", bytesValue: [0, 255], kind: .negative,
            nested: .init(text: "n", children: [.init(text: "c")]), time: .init(seconds: 3))
        message.numbers = [-1, 0, .max]
        message.texts = ["", "x", "\0"]
        message.blobs = [[], [1, 0]]
        message.flags = [true, false]
        message.kinds = [.one, .unspecified, .negative, .init(rawValue: 99)]
        message.doubles = [0, .infinity, -1.5]
        message.init_ = ["a"]
        message.maybeNumber = 0
        message.maybeText = ""
        message.maybeFlag = false
        message.maybeKind = .unspecified
        message.counts = ["a": 1, "": -1]
        message.byNumber = [-5: .init(text: "five"), 0: .init()]
        message.byFlag = [true: .one, false: .negative]
        message.`class` = "class"
        message.`default` = 5
        message.self_ = true
        message.value = "value"
        message.index = "index"
        message.c = "c"
        message.arena = "arena"
        return message
    }()

    @Test("Every kind of field encodes and decodes to the same value")
    func roundTrips() throws {
        let back = try Weir_Test_Everything(serializedBytes: Self.full.serializedBytes())
        #expect(back == Self.full)
        #expect(back.maybeNumber == 0 && back.maybeText == "" && back.maybeFlag == false)
    }

    @Test("A message at its defaults has no bytes")
    func hasNoDefaultBytes() throws {
        #expect(try Weir_Test_Everything().serializedBytes() == [])
        #expect(try Weir_Test_Everything(serializedBytes: []) == Weir_Test_Everything())
    }

    @Test(
        "Each field of a oneof is distinguished from the others and from none",
        arguments: [
            nil, .choiceNumber(0), .choiceText(""), .choiceNested(.init()), .choiceFlag(false),
            .choiceKind(.unspecified), .choiceBytes([]), .choiceText("t"), .choiceNumber(-4),
        ] as [Weir_Test_Everything.OneOf_Choice?])
    func keepsOneof(choice: Weir_Test_Everything.OneOf_Choice?) throws {
        let message = Weir_Test_Everything(choice: choice)
        #expect(
            try Weir_Test_Everything(serializedBytes: message.serializedBytes()).choice == choice)
    }

    @Test("JSON by description and generated code agree")
    func agreesWithJSON() throws {
        var schema = Schema()
        try schema.add(Weir_Test_Everything._file)
        let transcoder = JSONTranscoder(schema: schema)
        let name = "weir.test.Everything"
        let bytes = try Self.full.serializedBytes()
        let json = try transcoder.json(from: bytes, message: name)
        let back = try transcoder.bytes(from: json, message: name)
        #expect(try Weir_Test_Everything(serializedBytes: back) == Self.full)
    }

    @Test("Unknown fields are skipped")
    func skipsUnknownFields() throws {
        let bytes = try Weir_Test_Everything(int32Value: 7).serializedBytes()
        let unknown: [UInt8] = [0xfa, 0x3e, 0x02, 0x01, 0x02]
        #expect(
            try Weir_Test_Everything(serializedBytes: unknown + bytes + unknown)
                == Weir_Test_Everything(int32Value: 7))
    }
}
