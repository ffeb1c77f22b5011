internal import Messages
internal import Testing

@Suite struct ProtobufMessageTests {
    @Test("Every kind of field encodes and decodes to the same value")
    func roundTrips() throws {
        let endpoint = Weir_Admin_V1_Endpoint(
            name: "naïve \0 ☺", route: "/a/",
            weights: [.init(backend: "a", weight: 0.25), .init(backend: "b", weight: .infinity)],
            intervals: [.init(start: .max, backend: "a"), .init(start: 0, backend: "")],
            revision: .max)
        let explained = Weir_Admin_V1_ExplainRouteResponse(
            point: 0xfeed, shadows: [.init(copied: false), .init(copied: true), .init(copied: nil)])
        let change = Weir_Admin_V1_WatchResponse(
            revision: 7, time: .init(seconds: -1, nanos: 5), endpoints: [endpoint])
        #expect(try Weir_Admin_V1_Endpoint(serializedBytes: endpoint.serializedBytes()) == endpoint)
        let back = try Weir_Admin_V1_ExplainRouteResponse(
            serializedBytes: explained.serializedBytes())
        #expect(back == explained)
        #expect(back.shadows.map(\.copied) == [false, true, nil])
        #expect(
            try Weir_Admin_V1_WatchResponse(serializedBytes: change.serializedBytes()) == change)
    }

    @Test(
        "A oneof keeps which field is set, even with a default value",
        arguments: [.version(0), .value([]), .value([1]), .lease(7), nil]
            as [Etcdserverpb_Compare.OneOf_TargetUnion?])
    func keepsOneof(union: Etcdserverpb_Compare.OneOf_TargetUnion?) throws {
        let message = Etcdserverpb_Compare(targetUnion: union)
        #expect(
            try Etcdserverpb_Compare(serializedBytes: message.serializedBytes()).targetUnion
                == union)
    }

    @Test("A map keeps its entries, and its bytes do not depend on the order of insertion")
    func keepsMaps() throws {
        var one = Google_Rpc_ErrorInfo(reason: "r")
        var other = Google_Rpc_ErrorInfo(reason: "r")
        for key in ["a", "b", "c", ""] { one.metadata[key] = "1" }
        for key in ["", "c", "b", "a"] { other.metadata[key] = "1" }
        #expect(try one.serializedBytes() == other.serializedBytes())
        #expect(try Google_Rpc_ErrorInfo(serializedBytes: one.serializedBytes()) == one)
    }

    @Test("Unknown enum numbers are kept")
    func keepsOpenEnums() throws {
        let message = Grpc_Health_V1_HealthCheckResponse(status: .init(rawValue: 77))
        let back = try Grpc_Health_V1_HealthCheckResponse(
            serializedBytes: message.serializedBytes())
        #expect(back.status.rawValue == 77)
    }

    @Test("A message larger than the arena's first chunk encodes and decodes")
    func usesMoreChunks() throws {
        let names = (0..<20_000).map { "backend-\($0)" }
        let message = Weir_Admin_V1_ListBackendsResponse(backends: names.map { .init(name: $0) })
        let back = try Weir_Admin_V1_ListBackendsResponse(
            serializedBytes: message.serializedBytes())
        #expect(back.backends.map(\.name) == names)
    }

    @Test(
        "A malformed message is rejected with the position",
        arguments: [
            ([0x0a], "at byte 1, a number is truncated"),
            ([0x0a, 0x05, 0x61], "at byte 2, the length of field 1, 5 bytes, exceeds the input"),
            ([0x00, 0x01], "at byte 1, invalid key 0: not a field number and a wire type"),
            ([0x0b, 0x0c], "a field of its 2 bytes has the wrong type or is a group"),
            ([0x0d, 0x01], "at byte 1, field 1 is truncated"),
        ] as [([UInt8], String)])
    func diagnosesMalformed(bytes: [UInt8], reason: String) {
        let error = #expect(throws: MessageError.self) {
            try Weir_Admin_V1_GetBackendRequest(serializedBytes: bytes)
        }
        #expect(error?.description == "invalid weir.admin.v1.GetBackendRequest: \(reason)")
    }

    @Test("A string with invalid UTF-8 is rejected with the field's name")
    func rejectsInvalidText() {
        let error = #expect(throws: MessageError.self) {
            try Weir_Admin_V1_GetBackendRequest(serializedBytes: [0x0a, 0x01, 0xff])
        }
        #expect(
            error?.description == "invalid UTF-8 in field weir.admin.v1.GetBackendRequest.name")
    }

    @Test(
        "Messages may nest 100 levels deep, and no deeper", arguments: [1, 99, 100, 101, 1_000_000])
    func limitsNesting(depth: Int) throws {
        // Each level is one field of type Nested; its length counts all bytes inside.
        var pieces: [[UInt8]] = []
        var size = 0
        for _ in 0..<depth - 1 {
            var writer = WireWriter()
            writer.key(2, .bytes)
            writer.varint(UInt64(size))
            pieces.append(writer.bytes)
            size += writer.bytes.count
        }
        let bytes = pieces.reversed().flatMap(\.self)
        if depth <= 100 {
            let message = try Weir_Test_Everything.Nested(serializedBytes: bytes)
            #expect(try message.serializedBytes() == bytes)
        } else {
            let error = #expect(throws: MessageError.self) {
                try Weir_Test_Everything.Nested(serializedBytes: bytes)
            }
            #expect(error?.description.hasSuffix("messages nest deeper than 100") == true)
        }
    }

    @Test(
        "Nesting inside fields that protobuf-c skips is detected",
        arguments: [
            // The field numbers 2^29 and 0, as protobuf-c reads them, and a reserved wire type.
            [0xf8, 0xff, 0xff, 0xff, 0x7f, 0], [0x80, 0x00, 0], [0x0f, 0],
        ] as [[UInt8]])
    func findsHiddenNesting(prefix: [UInt8]) {
        var bytes: [UInt8] = []
        for _ in 0..<2_000 {
            var writer = WireWriter()
            writer.key(2, .bytes)
            writer.varint(UInt64(bytes.count))
            bytes = writer.bytes + bytes
        }
        #expect(throws: MessageError.self) {
            try Weir_Test_Everything.Nested(serializedBytes: prefix + bytes)
        }
    }

    @Test("Any bytes decode to a message or an error", arguments: 0..<200)
    func acceptsAnyBytes(seed: Int) {
        var state = UInt64(seed) &+ 7
        let bytes = (0..<(seed % 60)).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 40)
        }
        do throws(MessageError) {
            let message = try Weir_Admin_V1_WatchResponse(serializedBytes: bytes)
            #expect(throws: Never.self) { try message.serializedBytes() }
        } catch {
            #expect(!error.description.isEmpty)
        }
    }

    @Test("Raw messages keep their bytes")
    func keepsRawBytes() {
        #expect(RawMessage(serializedBytes: [1, 2, 3].rawSpan) == RawMessage([1, 2, 3]))
    }
}
