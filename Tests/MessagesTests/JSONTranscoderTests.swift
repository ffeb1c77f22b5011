internal import Messages
internal import Testing

@Suite struct JSONTranscoderTests {
    private func transcoder(printsDefaults: Bool = false) throws -> JSONTranscoder {
        var schema = Schema()
        try schema.add(Weir_Admin_V1_AdminProto.file)
        try schema.add(Google_Rpc_StatusProto.file)
        try schema.add(Google_Rpc_ErrorDetailsProto.file)
        try schema.add(WeirProtobuf_StructProto.file)
        try schema.add(WeirProtobuf_WrappersProto.file)
        try schema.add(WeirProtobuf_DurationProto.file)
        try schema.add(WeirProtobuf_FieldMaskProto.file)
        try schema.add(Grpc_Health_V1_HealthProto.file)
        return JSONTranscoder(schema: schema, printsDefaults: printsDefaults)
    }

    @Test(
        "JSON converts to bytes and back",
        arguments: [
            ("weir.admin.v1.BackendWeight", #"{"backend":"a\"\n\u0001☺","weight":0.5}"#),
            ("weir.admin.v1.Interval", #"{"start":"18446744073709551615","backend":"b"}"#),
            (
                "weir.admin.v1.SetTrafficRequest",
                #"{"endpoint":"e","weights":[{"backend":"a","weight":1}],"expectedRevision":"0"}"#
            ),
            ("weir.admin.v1.ShadowDecision", #"{"copied":false}"#),
            (
                "weir.admin.v1.WatchResponse",
                #"{"time":"2026-01-31T12:00:00.500Z","deletedBackends":["x",""]}"#
            ),
            ("weir.admin.v1.ExplainRouteRequest", #"{"shardKey":"AQI="}"#),
            ("google.rpc.ErrorInfo", #"{"metadata":{"a":"1","b":"2"}}"#),
            (
                "google.rpc.Status",
                #"{"code":-5,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","#
                    + #""reason":"r"}]}"#
            ),
            ("grpc.health.v1.HealthCheckResponse", #"{"status":"SERVING"}"#),
            ("google.protobuf.Duration", #""-1.500s""#),
            ("google.protobuf.Duration", #""3s""#),
            ("google.protobuf.FieldMask", #""a.b,c""#),
            ("google.protobuf.Struct", #"{"a":[1,true,null,{"b":"c"}]}"#),
            ("google.protobuf.Int64Value", #""-7""#),
            ("google.protobuf.DoubleValue", #""NaN""#),
            ("google.protobuf.BoolValue", "true"),
        ])
    func roundTrips(message: String, json: String) throws {
        let transcoder = try transcoder()
        let bytes = try transcoder.bytes(from: JSONValue(parsing: json), message: message)
        #expect(try transcoder.json(from: bytes, message: message).text(indent: 0) == json)
    }

    @Test("Field names of the .proto file, numbers as text and null are accepted")
    func acceptsOtherForms() throws {
        let transcoder = try transcoder()
        let json = #"{"expected_revision": 5, "weights": null, "endpoint": "e"}"#
        let bytes = try transcoder.bytes(
            from: JSONValue(parsing: json), message: "weir.admin.v1.SetTrafficRequest")
        #expect(
            try Weir_Admin_V1_SetTrafficRequest(serializedBytes: bytes)
                == .init(endpoint: "e", expectedRevision: 5))
    }

    @Test(
        "An invalid value is rejected with the path of the field",
        arguments: [
            (#"{"nope":1}"#, "field nope is not a field of weir.admin.v1.SetTrafficRequest"),
            (#"{"weights":[{"weight":"x"}]}"#, "field weights[0].weight must be a number"),
            (#"{"weights":{}}"#, "field weights must be an array"),
            (#"{"endpoint":5}"#, "field endpoint must be a string"),
            (#"{"expectedRevision":-1}"#, "field expectedRevision must be a whole number from 0"),
            (#"{"validateOnly":1}"#, "field validateOnly must be true or false"),
            ("[]", "the message must be an object"),
        ])
    func rejects(json: String, reason: String) throws {
        let transcoder = try transcoder()
        let error = #expect(throws: MessageError.self) {
            try transcoder.bytes(
                from: JSONValue(parsing: json), message: "weir.admin.v1.SetTrafficRequest")
        }
        #expect(error?.description.hasPrefix(reason) == true, "\(String(describing: error))")
    }

    @Test("Invalid JSON is rejected", arguments: ["", "{", "{\"a\" 1}", "nope"])
    func rejectsInvalidJSON(text: String) {
        #expect(throws: MessageError.self) { try JSONValue(parsing: text) }
    }

    @Test("Default values are printed on request")
    func printsDefaults() throws {
        let json = try transcoder(printsDefaults: true).json(
            from: [], message: "weir.admin.v1.SetTrafficRequest")
        #expect(
            json.text(indent: 0)
                == #"{"endpoint":"","weights":[],"validateOnly":false,"overrideRollout":false,"#
                + #""overrideFreeze":false}"#)
    }

    @Test("JSON that nests too deeply is rejected without recursion")
    func rejectsDeepNesting() throws {
        let deep = String(repeating: "[", count: 300) + String(repeating: "]", count: 300)
        let transcoder = try transcoder()
        #expect(throws: MessageError.self) {
            try transcoder.bytes(from: JSONValue(parsing: deep), message: "google.protobuf.Value")
        }
    }
}
