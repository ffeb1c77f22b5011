internal import GRPCWire
internal import Messages
internal import Testing

@testable internal import Transcoding

@Suite struct TranscodedReplyTests {
    private static func reply(
        _ method: Library.Method, accept: String = ""
    ) throws -> (TranscodedReply, Schema) {
        let (rule, schema) = try Library.transcoded(method)
        return (TranscodedReply(rule, schema, StreamForm(accept: accept)), schema)
    }

    private static func author(_ name: String, _ schema: Schema) throws -> [UInt8] {
        try JSONTranscoder(schema: schema).bytes(
            from: .object([("name", .string(name))]), message: "library.Author")
    }

    private static func body(_ output: TranscodedReply.Output) -> String {
        String(decoding: output.body, as: UTF8.self)
    }

    @Test("One reply is sent when its status is known")
    func unary() throws {
        var (reply, schema) = try Self.reply(
            .init(output: "Author", rule: Library.rule("GET", "/v1")))
        #expect(try reply.received(try Self.author("a", schema)) == TranscodedReply.Output())
        #expect(reply.heldBytes == 3)
        let output = reply.ended(.ok, "")
        #expect(output.head == TranscodedReply.Head(code: .ok, contentType: "application/json"))
        #expect(Self.body(output) == "{\"name\":\"a\",\"born\":\"0\"}\n")
        #expect(output.ending == .complete && reply.heldBytes == 0)
        #expect(reply.ended(.ok, "") == TranscodedReply.Output())
    }

    @Test("A failure has the code and the JSON of its status, also after a message")
    func failure() throws {
        for hasMessage in [false, true] {
            var (reply, schema) = try Self.reply(
                .init(output: "Author", rule: Library.rule("GET", "/v1")))
            if hasMessage { _ = try reply.received(try Self.author("a", schema)) }
            let output = reply.ended(.notFound, "no \"x\"")
            #expect(output.head?.code == .notFound)
            #expect(
                Self.body(output)
                    == "{\"code\":5,\"message\":\"no \\\"x\\\"\",\"details\":[]}\n")
        }
    }

    @Test("Two replies, no reply and an invalid reply are internal errors")
    func faults() throws {
        let method = Library.Method(output: "Author", rule: Library.rule("GET", "/v1"))
        var (reply, schema) = try Self.reply(method)
        _ = try reply.received(try Self.author("a", schema))
        let author = try Self.author("b", schema)
        let error = #expect(throws: RPCError.self) { try reply.received(author) }
        #expect(error?.message == "the backend sent more than one message")

        (reply, _) = try Self.reply(method)
        #expect(Self.body(reply.ended(.ok, "")).contains("the backend sent no message"))

        (reply, _) = try Self.reply(method)
        _ = try reply.received([0x0a, 0x01, 0xff])
        let invalid = reply.ended(.ok, "")
        #expect(invalid.head?.code == .internalError)
        #expect(Self.body(invalid).contains("cannot be converted to JSON: field name contains"))
    }

    @Test(
        "A stream has the form that the client prefers",
        arguments: [
            (
                "", "application/json",
                "[{\"name\":\"a\",\"born\":\"0\"},\n{\"name\":\"b\",\"born\":\"0\"}]\n"
            ),
            (
                "application/x-ndjson", "application/x-ndjson",
                "{\"name\":\"a\",\"born\":\"0\"}\n{\"name\":\"b\",\"born\":\"0\"}\n"
            ),
            (
                "text/event-stream", "text/event-stream",
                "data: {\"name\":\"a\",\"born\":\"0\"}\n\ndata: {\"name\":\"b\",\"born\":\"0\"}\n\n"
            ),
        ])
    func streams(accept: String, type: String, expected: String) throws {
        var (reply, schema) = try Self.reply(
            .init(output: "Author", serverStreams: true, rule: Library.rule("GET", "/v1")),
            accept: accept)
        var text = ""
        let first = try reply.received(try Self.author("a", schema))
        #expect(first.head == TranscodedReply.Head(code: .ok, contentType: type))
        text += Self.body(first)
        let second = try reply.received(try Self.author("b", schema))
        #expect(second.head == nil && second.ending == .open)
        text += Self.body(second)
        let end = reply.ended(.ok, "")
        #expect(end.head == nil && end.ending == .complete)
        #expect(text + Self.body(end) == expected)
    }

    @Test(
        "A stream that fails has the status of the code, or an error as its last message",
        arguments: [
            ("", "[{}", ",\n{\"error\":{\"code\":8,\"message\":\"m\",\"details\":[]}}]\n"),
            (
                "application/ndjson", "{}\n",
                "{\"error\":{\"code\":8,\"message\":\"m\",\"details\":[]}}\n"
            ),
            (
                "text/event-stream", "data: {}\n\n",
                "data: {\"error\":{\"code\":8,\"message\":\"m\",\"details\":[]}}\n\n"
            ),
        ])
    func failedStreams(accept: String, first: String, last: String) throws {
        let method = Library.Method(
            output: "google.protobuf.Empty", serverStreams: true, rule: Library.rule("GET", "/v1"))
        var (reply, _) = try Self.reply(method, accept: accept)
        let early = reply.ended(.resourceExhausted, "m")
        #expect(early.head?.code == .resourceExhausted)
        #expect(Self.body(early) == "{\"code\":8,\"message\":\"m\",\"details\":[]}\n")

        (reply, _) = try Self.reply(method, accept: accept)
        #expect(Self.body(try reply.received([])) == first)
        let late = reply.ended(.resourceExhausted, "m")
        #expect(late.head == nil && late.ending == .complete)
        #expect(Self.body(late) == last)
    }

    @Test("A message of a stream that cannot be converted is the last, as an error")
    func invalidMessage() throws {
        let method = Library.Method(
            output: "Author", serverStreams: true, rule: Library.rule("GET", "/v1"))
        var (reply, schema) = try Self.reply(method, accept: "application/x-ndjson")
        _ = try reply.received(try Self.author("a", schema))
        let error = #expect(throws: RPCError.self) { try reply.received([0x0a, 0x01, 0xff]) }
        let last = reply.ended(error?.code ?? .ok, error?.message ?? "")
        #expect(Self.body(last).hasPrefix(#"{"error":{"code":13,"message":"the backend's"#))
    }

    @Test("An empty stream is an empty array or an empty body")
    func emptyStreams() throws {
        for (accept, expected) in [
            ("", "[]\n"), ("text/event-stream", ""), ("application/jsonl", ""),
        ] {
            var (reply, _) = try Self.reply(
                .init(serverStreams: true, rule: Library.rule("GET", "/v1")), accept: accept)
            let output = reply.ended(.ok, "")
            #expect(output.head?.code == .ok && output.ending == .complete)
            #expect(Self.body(output) == expected)
        }
    }

    @Test(
        "A content type that cannot be a header field ends the call",
        arguments: ["a/b\r\nx: 1", "a/b\nx", "a\0", " ", "é", String(repeating: "a", count: 257)])
    func invalidContentType(type: String) throws {
        var body = WireWriter()
        body.field(1, bytes: type.utf8)
        let method = Library.Method(
            output: "google.api.HttpBody", serverStreams: true, rule: Library.rule("GET", "/v1"))
        var (reply, _) = try Self.reply(method)
        #expect(throws: RPCError.self) { try reply.received(body.bytes) }
    }

    @Test("An HttpBody is sent unchanged, and a late failure breaks the response")
    func raw() throws {
        var body = WireWriter()
        body.field(1, bytes: "text/plain".utf8)
        body.field(2, bytes: "hello".utf8)
        let method = Library.Method(
            output: "google.api.HttpBody", serverStreams: true, rule: Library.rule("GET", "/v1"))
        var (reply, _) = try Self.reply(method)
        let first = try reply.received(body.bytes)
        #expect(first.head?.contentType == "text/plain" && Self.body(first) == "hello")
        #expect(Self.body(try reply.received(body.bytes)) == "hello")
        #expect(reply.ended(.ok, "") == TranscodedReply.Output(ending: .complete))

        (reply, _) = try Self.reply(method)
        _ = try reply.received([])
        #expect(reply.ended(.internalError, "m") == TranscodedReply.Output(ending: .broken))

        var file = WireWriter()
        file.field(2, bytes: body.bytes)
        (reply, _) = try Self.reply(
            .init(output: "Upload", rule: Library.rule("GET", "/v1", response: "file")))
        _ = try reply.received(file.bytes)
        let whole = reply.ended(.ok, "")
        #expect(whole.head?.contentType == "text/plain" && Self.body(whole) == "hello")

        (reply, _) = try Self.reply(
            .init(output: "Upload", rule: Library.rule("GET", "/v1", response: "file")))
        _ = try reply.received([])
        #expect(reply.ended(.ok, "").head?.contentType == "application/octet-stream")
    }

    @Test(
        "The response is the value of the field response_body",
        arguments: [
            ("title", "\"t\"\n"), ("tags", "[\"x\"]\n"), ("id", "\"0\"\n"), ("author", "null\n"),
            ("published_at", "null\n"), ("labels", "{}\n"),
        ])
    func field(name: String, expected: String) throws {
        var (reply, schema) = try Self.reply(
            .init(rule: Library.rule("GET", "/v1", response: name)))
        let message = try JSONTranscoder(schema: schema).bytes(
            from: try JSONValue(parsing: #"{"title":"t","tags":["x"]}"#), message: "library.Book")
        _ = try reply.received(message)
        #expect(Self.body(reply.ended(.ok, "")) == expected)
    }

    @Test("The details of a status are JSON; of unknown types, base64")
    func details() throws {
        var known = WireWriter()
        known.field(1, bytes: "type.googleapis.com/library.Author".utf8)
        known.field(2, bytes: [0x0a, 1, 0x61])
        var unknown = WireWriter()
        unknown.field(1, bytes: "type.googleapis.com/x.Y".utf8)
        unknown.field(2, bytes: [1, 2])
        var status = WireWriter()
        status.field(1, varint: 5)
        status.field(3, bytes: known.bytes)
        status.field(3, bytes: unknown.bytes)
        status.field(3, bytes: [0xff])
        let json = StatusJSON.json(
            .notFound, "m", details: status.bytes, schema: try Library.schema())
        #expect(
            json.text(indent: 0)
                == #"{"code":5,"message":"m","details":[{"@type":"type.googleapis.com/"#
                + #"library.Author","name":"a"},{"@type":"type.googleapis.com/"#
                + #"x.Y","value":"AQI="}]}"#
        )
        #expect(
            StatusJSON.json(.ok, "", details: [0xff]).text(indent: 0).contains("\"details\":[]"))
    }

    @Test(
        "The form of a stream is the one with the highest weight in Accept",
        arguments: [
            ("", .array), ("*/*", .array), ("text/html", .array),
            ("text/html, text/event-stream", .events),
            ("application/x-ndjson;q=0.5, text/event-stream;q=0.4", .lines),
            ("application/json;q=0.1,text/event-stream", .events),
            ("application/json,text/event-stream", .array), ("text/event-stream;q=0", .array),
            ("text/event-stream;q=x, application/x-ndjson ; Q=0.001", .lines),
            ("text/event-stream;q=inf", .array), ("TEXT/Event-Stream", .events), (",;q=,", .array),
        ] as [(String, StreamForm)])
    func accept(accept: String, form: StreamForm) {
        #expect(StreamForm(accept: accept) == form)
    }
}
