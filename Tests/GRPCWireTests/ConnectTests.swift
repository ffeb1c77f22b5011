internal import GRPCWire
internal import Testing

@Suite struct ConnectTests {
    private static func text(_ envelope: [UInt8]) -> String {
        String(decoding: envelope.dropFirst(MessagePrefix.byteCount), as: UTF8.self)
    }

    @Test("The last envelope of a stream has flag 2, and the error and the metadata as JSON")
    func writesEnd() {
        #expect(ConnectEnvelope.end(nil, Metadata()) == [2, 0, 0, 0, 2] + Array("{}".utf8))
        let error = ConnectError(
            .notFound, "no \"x\"\n", details: [.init(type: "p.M", value: [0xff, 0xfe])])
        let metadata: Metadata = ["a": "1", "b-bin": "AAA", "a": "2"]
        #expect(
            Self.text(ConnectEnvelope.end(error, metadata))
                == #"{"error":{"code":"not_found","message":"no \"x\"\u000a","#
                + #""details":[{"type":"p.M","value":"//4"}]},"#
                + #""metadata":{"a":["1","2"],"b-bin":["AAA"]}}"#)
        #expect(
            Self.text(ConnectEnvelope.end(nil, ["a": "1"])) == #"{"metadata":{"a":["1"]}}"#)
    }

    @Test(
        "Each code has the name and the HTTP status of the specification",
        arguments: [
            (1, "canceled", 499), (2, "unknown", 500), (3, "invalid_argument", 400),
            (4, "deadline_exceeded", 504), (5, "not_found", 404), (6, "already_exists", 409),
            (7, "permission_denied", 403), (8, "resource_exhausted", 429),
            (9, "failed_precondition", 400), (10, "aborted", 409), (11, "out_of_range", 400),
            (12, "unimplemented", 501), (13, "internal", 500), (14, "unavailable", 503),
            (15, "data_loss", 500), (16, "unauthenticated", 401), (99, "unknown", 500),
            (0, "unknown", 500), (-1, "unknown", 500),
        ])
    func mapsCodes(number: Int, name: String, status: Int) {
        let code = StatusCode(rawValue: number)
        #expect(ConnectError.name(of: code) == name)
        #expect(ConnectError.httpStatus(of: code) == status)
        if (1...16).contains(number) { #expect(ConnectError.code(named: name) == code) }
    }

    @Test(
        "A timeout has at most ten digits",
        arguments: [
            ("0", 0), ("1500", 1_500_000_000), ("9999999999", 9_999_999_999_000_000), ("", nil),
            ("12345678901", nil), ("-1", nil), ("1.5", nil), ("1s", nil), (" 1", nil),
        ])
    func readsTimeouts(text: String, nanoseconds: Int64?) {
        #expect(ConnectTimeout.parse(text.utf8) == nanoseconds)
    }

    @Test(
        "A GET has its message in the query, in any order and with other parameters",
        arguments: [
            ("connect=v1&encoding=json&message=%7B%22a%22%3A1%7D", #"{"a":1}"#),
            ("message={}&x=y&encoding=json", "{}"), ("encoding=json&message=a+b%2B", "a b+"),
            ("base64=1&message=eyJhIjoi_-8ifQ&encoding=json", "{\"a\":\"\u{fffd}\u{fffd}\"}"),
            ("base64=1&message=e30=&encoding=json", "{}"),
            ("base64=1&message=e30%3D&encoding=json", "{}"),
            ("base64=1&message=&encoding=proto", ""), ("encoding=proto&message=", ""),
        ])
    func readsGET(query: String, message: String) throws {
        let get = try ConnectGet(query: query)
        #expect(String(decoding: get.message, as: UTF8.self) == message)
        #expect(ConnectGet.isConnect(query))
        #expect(get.compression == "identity")
    }

    @Test(
        "An invalid query is rejected with the parameter",
        arguments: [
            ("", "no parameter 'encoding'"), ("encoding=json", "no parameter 'message'"),
            ("encoding=xml&message=", "encoding 'xml'"),
            ("connect=v2&encoding=json&message=", "v1"),
            ("encoding=json&message=%7", "%"), ("base64=1&encoding=json&message=!", "base64"),
            ("base64=2&encoding=json&message=", "base64"),
        ])
    func rejectsGET(query: String, reason: String) {
        let error = #expect(throws: ConnectGet.Failure.self) { try ConnectGet(query: query) }
        #expect(error?.description.contains(reason) == true)
    }
}
