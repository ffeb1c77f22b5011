internal import GRPCWire
internal import Messages
internal import Testing
internal import Transport

@testable internal import Serving

@Suite struct HTTPResponsesTests {
    private static func reply(
        _ response: Weir_V1_CallResponse, _ limits: Limits = Limits()
    ) -> Result<HTTPReply, HTTPRefusal> {
        Result { () throws(HTTPRefusal) in try HTTPReply(response, from: "b", limits) }
    }

    private static func refusal(
        _ response: Weir_V1_CallResponse, _ limits: Limits = Limits()
    ) -> String? {
        if case .failure(let refusal) = reply(response, limits) { return refusal.description }
        return nil
    }

    @Test("A backend's response becomes status, content type, headers and body")
    func readsResponse() throws {
        let reply = try Self.reply(
            Weir_V1_CallResponse(
                payload: [1, 2], contentType: " text/x; a=\u{e9}\t", httpStatus: 599,
                headers: [
                    .init(name: "X-A!", value: "\t 1 2 "), .init(name: "set-cookie", value: "a"),
                    .init(name: "Set-Cookie", value: ""), .init(name: "connection", value: "x-c"),
                    .init(name: "x-c", value: "1"), .init(name: "content-length", value: "9"),
                    .init(name: "Content-Type", value: "y"), .init(name: "grpc-status", value: "1"),
                    .init(name: "x-serve-backend", value: "me"), .init(name: "trailer", value: "x"),
                ])
        ).get()
        #expect(reply.status == 599 && reply.body == [1, 2])
        #expect(
            reply.headers.map { "\($0.name)=\($0.value)" }
                == ["content-type=text/x; a=\u{e9}", "x-a!=1 2", "set-cookie=a", "set-cookie="])
        let plain = try Self.reply(Weir_V1_CallResponse(contentType: " ")).get()
        #expect(plain.status == 200 && plain.headers.map(\.value) == ["application/json"])
    }

    @Test(
        "A status that is not final is rejected",
        arguments: [1, 99, 100, 101, 199, 600, 999, 2_147_483_647, 2_147_483_648, .max] as [UInt32])
    func rejectsStatus(status: UInt32) {
        let refusal = Self.refusal(Weir_V1_CallResponse(httpStatus: status))
        #expect(
            refusal
                == "502: the response of backend 'b' is invalid: "
                + "invalid http_status \(status): it must be 200 to 599"
        )
    }

    @Test(
        "A string that would end its header field is rejected with the field's name",
        arguments: ["a\r\nx: y", "a\nb", "a\rb", "a\u{0}b", "a\u{1}", "\u{7f}"])
    func rejectsControlCharacters(text: String) {
        #expect(
            Self.refusal(Weir_V1_CallResponse(contentType: text))?.contains("content_type") == true)
        let value = Weir_V1_CallResponse(headers: [.init(name: "x-a", value: text)])
        #expect(Self.refusal(value)?.contains("'x-a'") == true)
        let name = Weir_V1_CallResponse(headers: [.init(name: text, value: "a")])
        #expect(Self.refusal(name)?.contains("is not a token") == true)
    }

    @Test(
        "A header name is a token", arguments: ["", " ", "a b", "a:", ":status", "\u{e9}", "(a)"])
    func rejectsNames(name: String) {
        let response = Weir_V1_CallResponse(headers: [.init(name: name, value: "a")])
        #expect(Self.refusal(response)?.contains("'\(name)' is not a token") == true)
    }

    @Test("Response headers are limited in bytes and in number")
    func limitsHeaders() {
        var limits = Limits()
        limits.maxResponseHeaderBytes = 1_000
        limits.maxHeaderFields = 4
        // content-type: 12 + 1 + 32, x: 1 + 32.
        func value(_ count: Int) -> Weir_V1_CallResponse {
            Weir_V1_CallResponse(
                contentType: "t",
                headers: [.init(name: "x", value: String(repeating: "a", count: count))])
        }
        #expect(Self.refusal(value(1_000 - 78), limits) == nil)
        #expect(
            Self.refusal(value(1_000 - 77), limits)?.contains("max-response-header-bytes") == true)
        func fields(_ count: Int) -> Weir_V1_CallResponse {
            Weir_V1_CallResponse(
                headers: .init(repeating: .init(name: "x", value: "a"), count: count))
        }
        #expect(Self.refusal(fields(3), limits) == nil)
        #expect(Self.refusal(fields(4), limits)?.contains("max-header-fields") == true)
        #expect(
            Self.refusal(
                Weir_V1_CallResponse(contentType: String(repeating: "a", count: 1_000)), limits)
                != nil)
    }

    @Test("The message around a body may exceed the body's limit")
    func allowsForWrapper() {
        var limits = Limits()
        limits.maxMessageBytes = 100
        #expect(limits.maxCallRequestBytes >= 100 + limits.maxHeaderListBytes)
        #expect(limits.maxCallResponseBytes >= 100 + limits.maxResponseHeaderBytes)
        limits.maxMessageBytes = .max
        #expect(limits.maxCallRequestBytes == .max && limits.maxCallResponseBytes == .max)
    }

    @Test(
        "A response has a length, and declares whether the connection stays open",
        arguments: [
            (200, 1, "keep-alive", "HTTP/1.1 200 OK\r\n", "content-length: 2\r\n"),
            (200, 0, "keep-alive", "HTTP/1.0 200 OK\r\n", "connection: keep-alive\r\n"),
            (200, 0, "", "HTTP/1.0 200 OK\r\n", "connection: close\r\n"),
            (200, 1, "Close", "HTTP/1.1 200 OK\r\n", "connection: close\r\n"),
            (200, 0, "keep-alive, close", "HTTP/1.0 200 OK\r\n", "connection: close\r\n"),
            (205, 1, "", "HTTP/1.1 205 Reset Content\r\n", "content-length: 0\r\n"),
            (599, 1, "", "HTTP/1.1 599 \r\n", "content-length: 2\r\n"),
        ])
    func writesHead(
        status: Int, minorVersion: Int, connection: String, line: String, field: String
    ) {
        let reply = HTTPReply(status: status, body: "hi")
        let persistence = HTTP1Response.persistence(
            of: [("connection", connection)], minorVersion: minorVersion)
        let text = String(
            decoding: HTTP1Response.head(
                reply, minorVersion: minorVersion, persistence, date: "now"), as: UTF8.self)
        #expect(text.hasPrefix(line) && text.contains("\r\n" + field), "\(text)")
        #expect(text.hasSuffix("\r\n\r\n") && text.contains("\r\ndate: now\r\n"))
        #expect(!text.contains("transfer-encoding"))
    }

    @Test("A status without a body has neither a body nor a length", arguments: [204, 304])
    func omitsBody(status: Int) {
        let reply = HTTPReply(status: status, body: "hi")
        #expect(reply.content.isEmpty)
        #expect(!reply.fields(date: "now").contains { $0.name == "content-length" })
    }

    @Test("A backend's own date is kept")
    func keepsDate() {
        let reply = HTTPReply(status: 200, headers: [("date", "then")], body: [])
        #expect(reply.fields(date: "now").filter { $0.name == "date" }.map(\.value) == ["then"])
    }

    @Test(
        "A date is IMF-fixdate for any time of the clock",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (.max, "Fri, 31 Dec 9999 23:59:59 GMT"), (.min, "Thu, 01 Jan 1970 00:00:00 GMT"),
        ] as [(Int64, String)])
    func writesDates(seconds: Int64, text: String) {
        #expect(HTTPDate.text(unixSeconds: seconds) == text)
    }
}
