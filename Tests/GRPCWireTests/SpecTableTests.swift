internal import GRPCWire
internal import Testing

/// Tables from gRPC's `PROTOCOL-HTTP2.md`, `statuscodes.md` and `http-grpc-status-mapping.md`.
@Suite struct SpecTableTests {
    @Test(
        "A grpc-timeout is 1 to 8 digits and a unit",
        arguments: [
            ("1n", 1), ("99999999n", 99_999_999), ("1u", 1_000), ("250m", 250_000_000),
            ("10S", 10_000_000_000), ("2M", 120_000_000_000), ("1H", 3_600_000_000_000),
            ("0S", 0), ("99999999H", .max), ("00000001S", 1_000_000_000),
        ] as [(String, Int64)])
    func parsesTimeout(text: String, nanoseconds: Int64) {
        #expect(parsed(text) { Timeout.parse($0) } == nanoseconds)
    }

    @Test(
        "An invalid grpc-timeout is rejected",
        arguments: [
            "", "1", "S", "1s", "-1S", "+1S", "1.5S", "123456789S", " 1S", "1S ", "1SS", "1D",
        ])
    func rejectsTimeout(text: String) {
        #expect(parsed(text) { Timeout.parse($0) } == nil)
    }

    @Test(
        "A timeout is written in the finest unit that eight digits hold, never shortened",
        arguments: [
            (1, "1n"), (0, "1n"), (-5, "1n"), (99_999_999, "99999999n"), (100_000_000, "100000u"),
            (100_000_001, "100001u"), (3_600_000_000_000, "3600000m"), (.max, "2562048H"),
        ] as [(Int64, String)])
    func formatsTimeout(nanoseconds: Int64, text: String) {
        #expect(Timeout.format(nanoseconds: nanoseconds) == text)
        let back = parsed(text) { Timeout.parse($0) }
        #expect(back.map { $0 >= max(1, nanoseconds) } == true)
    }

    @Test(
        "A grpc-message is percent-encoded outside 0x20 to 0x7e",
        arguments: [
            ("plain text", "plain text"), ("100 %", "100 %25"), ("\t\n", "%09%0A"),
            ("ü", "%C3%BC"), ("☺", "%E2%98%BA"), ("\u{7f}", "%7F"), ("", ""),
            (" ", "%20"), (" a b ", "%20a b%20"), ("  a", "%20 a"),
        ])
    func encodesStatusMessage(message: String, wire: String) {
        #expect(StatusMessage.encode(message) == wire)
        #expect(StatusMessage.decode(wire) == message)
    }

    @Test(
        "A long grpc-message is cut between two characters",
        arguments: [("a", 0), ("a", 1), ("ü", 0), ("ü", 1), ("☺", 0), ("☺", 1), ("😀", 2), ("😀", 3)])
    func cutsStatusMessage(character: String, offset: Int) {
        let start = String(repeating: "x", count: offset)
        let whole = start + String(repeating: character, count: 100_000)
        let wire = StatusMessage.encode(whole)
        let sent = StatusMessage.decode(wire)
        #expect(whole.hasPrefix(sent))
        #expect(!sent.contains("\u{fffd}"))
        // A character has up to 12 bytes on the wire.
        #expect((StatusMessage.maxBytes - 11...StatusMessage.maxBytes).contains(wire.utf8.count))
    }

    @Test("A grpc-message cut at a space does not end in it", arguments: 4_094...4_097)
    func cutsAtSpace(length: Int) {
        let message = String(repeating: "x", count: length) + "   end"
        let wire = StatusMessage.encode(message)
        #expect(wire == String(repeating: "x", count: min(length, StatusMessage.maxBytes)))
    }

    @Test(
        "An invalid escape in a grpc-message is kept unchanged",
        arguments: [("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("a%2", "a%2"), ("%41%", "A%")])
    func keepsInvalidEscapes(wire: String, message: String) {
        #expect(StatusMessage.decode(wire) == message)
    }

    @Test(
        "Binary metadata is read with padding and without, and written without",
        arguments: [
            ("", []), ("AA", [0]), ("AA==", [0]), ("AAE", [0, 1]), ("AAE=", [0, 1]),
            ("AAEC", [0, 1, 2]), ("/+8", [255, 239]),
        ] as [(String, [UInt8])])
    func readsBase64(text: String, bytes: [UInt8]) {
        #expect(Base64.decode(text.utf8) == bytes)
        #expect(Base64.encode(bytes) == text.filter { $0 != "=" })
    }

    @Test(
        "Invalid base64 is rejected",
        arguments: ["A", "AAAAA", "A=", "A===", "AA=", "AA=A", "*A"])
    func rejectsBase64(text: String) {
        #expect(Base64.decode(text.utf8) == nil)
    }

    @Test(
        "The values of a -bin field are counted and checked",
        arguments: [
            ("", .one), ("AA", .one), (" AA== ", .one), ("AA,AQ==", .several), (",", .several),
            ("AA,", .several), ("AA ,\tAQ", .several), ("A", .invalid), ("!!!", .invalid),
            ("AA A", .invalid), ("AA,A", .invalid), ("A,AA", .invalid), ("AA==,=", .invalid),
            ("A A", .invalid), ("AA= =", .invalid), ("\u{0}", .invalid), ("\u{e9}", .invalid),
        ] as [(String, Base64.Values)])
    func checksBinaryValues(field: String, values: Base64.Values) {
        #expect(Base64.values(Array(field.utf8).span) == values)
        let isValid = Base64.separated(field).allSatisfy { Base64.decode($0.utf8) != nil }
        #expect(isValid == (values != .invalid))
    }

    @Test("Values of a -bin name that are joined by commas are split")
    func splitsJoinedBinaryValues() {
        let metadata: Metadata = ["key-bin": "AA,AQ==, Ag", "key-bin": "Aw"]
        #expect(metadata.bytes("key-bin") == [[0], [1], [2], [3]])
        #expect(metadata.values("key-bin").count == 2)
    }

    @Test(
        "Reserved headers are not custom metadata",
        arguments: [
            (":path", true), ("grpc-timeout", true), ("grpc-status", true), ("te", true),
            ("content-type", true), ("connection", true), ("x-request-id", false),
            ("grpc-status-details-bin", false), ("authorization", false),
        ])
    func classifiesReservedNames(name: String, isReserved: Bool) {
        #expect(Metadata.isReserved(name) == isReserved)
    }

    @Test(
        "A gRPC content-type may have a suffix and parameters",
        arguments: [
            ("application/grpc", true), ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true), ("Application/gRPC+json", true),
            ("application/grpc-web", false), ("application/grpcx", false),
            ("application/json", false), ("", false), ("application/grp", false),
        ])
    func classifiesContentType(value: String, isGRPC: Bool) {
        #expect(parsed(value, ContentType.isGRPC) == isGRPC)
    }

    @Test(
        "The suffix of the type declares JSON messages",
        arguments: [
            ("application/grpc+json", true), ("Application/GRPC+JSON", true),
            ("application/grpc+json; charset=utf-8", true), ("application/grpc", false),
            ("application/grpc+jsonx", false), ("application/grpc+proto", false),
            ("application/json", false),
        ])
    func classifiesJSON(value: String, isJSON: Bool) {
        #expect(parsed(value, ContentType.isJSON) == isJSON)
    }

    @Test(
        "An HTTP status without gRPC becomes a code",
        arguments: [
            (400, StatusCode.internalError), (401, .unauthenticated), (403, .permissionDenied),
            (404, .unimplemented), (429, .unavailable), (502, .unavailable), (503, .unavailable),
            (504, .unavailable), (500, .unknown), (200, .unknown),
        ])
    func mapsHTTPStatus(status: Int, code: StatusCode) {
        #expect(StatusCode(httpStatus: status) == code)
    }

    @Test(
        "A reset stream becomes a code",
        arguments: [
            (0x0, StatusCode.internalError), (0x1, .internalError), (0x7, .unavailable),
            (0x8, .cancelled), (0xb, .resourceExhausted), (0xc, .permissionDenied),
        ] as [(UInt32, StatusCode)])
    func mapsHTTP2Error(error: UInt32, code: StatusCode) {
        #expect(StatusCode(http2Error: error) == code)
    }

    @Test("The status codes have the numbers and names of the specification")
    func namesStatusCodes() {
        #expect(StatusCode.names.count == 17)
        #expect(StatusCode.ok.description == "OK")
        #expect(StatusCode.unauthenticated.rawValue == 16)
        #expect(StatusCode.unauthenticated.description == "UNAUTHENTICATED")
        #expect(StatusCode(rawValue: 99).description == "CODE_99")
        #expect(
            [-1, 0, 16, 17].map { StatusCode(rawValue: $0).counted.rawValue } == [2, 0, 16, 2])
    }

    @Test(
        "grpc-accept-encoding lists the accepted encodings",
        arguments: [
            ("gzip", true), ("identity,gzip", true), ("identity, deflate, gzip", true),
            ("identity", false), ("gzipped", false), ("", false), ("gzip;q=1", false),
            (" gzip ,x", true), (",", false), ("gzi", false), ("x,,gzip", true),
        ])
    func parsesAcceptedEncodings(value: String, accepts: Bool) {
        #expect(parsed(value, MessageEncoding.acceptsGzip) == accepts)
    }
}
