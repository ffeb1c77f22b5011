internal import Testing

@testable internal import Transport

@Suite struct HTTP1FramingTests {
    typealias Fields = [(String, String)]

    @Test(
        "Content-Length and Transfer-Encoding determine the body",
        arguments: [
            ([], .length(0)), ([("content-length", "0")], .length(0)),
            ([("content-length", "100")], .length(100)),
            ([("content-length", "007")], .length(7)),
            ([("transfer-encoding", "chunked")], .chunked),
            ([("transfer-encoding", "Chunked")], .chunked),
        ] as [(Fields, HTTP1Framing)])
    func reads(fields: Fields, expected: HTTP1Framing) throws {
        #expect(try Self.framing(fields) == expected)
        #expect(expected.hasBody == (expected != .length(0)))
    }

    @Test(
        "Fields that two recipients could read differently are refused",
        arguments: [
            ([("content-length", "101")], 413), ([("content-length", "")], 400),
            ([("content-length", "+1")], 400), ([("content-length", "-1")], 400),
            ([("content-length", "0x1")], 400), ([("content-length", "1, 1")], 400),
            ([("content-length", "9223372036854775808")], 400),
            ([("content-length", "1"), ("content-length", "1")], 400),
            ([("content-length", "1"), ("transfer-encoding", "chunked")], 400),
            ([("transfer-encoding", "gzip, chunked")], 501),
            ([("transfer-encoding", "chunked, chunked")], 400),
            ([("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], 400),
            ([("transfer-encoding", "")], 400), ([("transfer-encoding", "identity")], 501),
        ] as [(Fields, Int)])
    func refuses(fields: Fields, status: Int) {
        let refusal = #expect(throws: HTTPRefusal.self) { try Self.framing(fields) }
        #expect(refusal?.status == status)
    }

    @Test("HTTP/1.0 has no Transfer-Encoding")
    func oldVersion() {
        let refusal = #expect(throws: HTTPRefusal.self) {
            try Self.framing([("transfer-encoding", "chunked")], minorVersion: 0)
        }
        #expect(refusal?.status == 400)
    }

    private static func framing(
        _ fields: Fields, minorVersion: Int = 1
    ) throws(HTTPRefusal) -> HTTP1Framing {
        try HTTP1Framing(
            fields.map { (name: $0, value: $1) }, minorVersion: minorVersion,
            limit: 100)
    }
}
