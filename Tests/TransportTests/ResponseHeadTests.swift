internal import GRPCWire
internal import HTTP2Session
internal import Testing

@testable internal import Transport

@Suite struct ResponseHeadTests {
    private func head(_ fields: KeyValuePairs<String, String>) -> ResponseHead {
        ResponseHead(receivedHeaders(fields))
    }

    private func refusal(
        _ sender: String, _ fields: KeyValuePairs<String, String>
    ) -> RPCError? {
        let headers = receivedHeaders(fields)
        return ResponseHead(headers).refusal(sender, in: headers)
    }

    @Test("A status, its message and a pushback are parsed")
    func readsStatus() {
        let headers = receivedHeaders([
            ":status": "200", "content-type": "application/grpc+proto", "grpc-status": "14",
            "grpc-message": "a%20b", "grpc-retry-pushback-ms": "250",
        ])
        let head = ResponseHead(headers)
        #expect(head.code == .unavailable)
        #expect(head.message(in: headers) == "a b")
        #expect(head.pushback(in: headers) == 250)
        #expect(head.refusal("x", in: headers) == nil)
    }

    @Test(
        "A pushback that is not a number of milliseconds means never",
        arguments: [
            "-1", "soon", "", " 1", "+1", "0x1", "1e3", "nan", "1000000000", "2147483648",
            "9223372036854775807", "-9223372036854775808", "18446744073709551615",
        ])
    func readsPushback(text: String) {
        let headers = receivedHeaders(["grpc-retry-pushback-ms": text])
        #expect((ResponseHead(headers).pushback(in: headers) ?? 0) < 0)
    }

    @Test(
        "A status that is not a number counts as missing",
        arguments: [
            "", "x", "-1", "+1", "1234567890", "1 ", "0x1", "9223372036854775807",
            "18446744073709551615",
        ])
    func rejectsStatus(text: String) {
        #expect(head(["grpc-status": text]).code == nil)
    }

    @Test(
        "An ambiguous status is replaced",
        arguments: [
            (["0"], .ok, true), (["14"], .unavailable, true), (["10"], .aborted, true),
            (["05"], .notFound, false), (["00"], .ok, false), (["0", "0"], .ok, false),
            (["0", "5"], nil, false), (["5", "x"], nil, false), (["x", "5"], nil, false),
            (["5", "0", "5"], nil, false), ([""], nil, false), ([], nil, false),
        ] as [([String], StatusCode?, Bool)])
    func parsesStatus(values: [String], code: StatusCode?, isCanonical: Bool) {
        var block = HeaderBlock()
        for value in values {
            block.append("grpc-status", value, known: KnownHeader.grpcStatus.rawValue)
        }
        let head = ResponseHead(block)
        #expect(head.code == code)
        #expect(head.hasCanonicalStatus == isCanonical)
    }

    @Test(
        "grpc-status takes precedence over the HTTP status and the content-type",
        arguments: [
            [":status": "503", "content-type": "application/grpc", "grpc-status": "8"],
            [":status": "404", "content-type": "text/html", "grpc-status": "5"],
            ["grpc-status": "0"],
        ] as [KeyValuePairs<String, String>])
    func prefersStatus(fields: KeyValuePairs<String, String>) {
        #expect(refusal("the server", fields) == nil)
    }

    @Test(
        "A response that is not gRPC is rejected with a status derived from HTTP's",
        arguments: [
            ("503", "application/grpc", StatusCode.unavailable),
            ("404", "text/html", .unimplemented), ("200", "text/html", .unknown),
            ("401", "application/json", .unauthenticated),
        ])
    func rejectsOthers(status: String, type: String, code: StatusCode) {
        let error = refusal("the server", [":status": status, "content-type": type])
        #expect(error?.code == code)
        #expect(error?.message.contains(status) == true)
    }
}

/// A block with the numbers of known names, as from a session.
private func receivedHeaders(_ fields: KeyValuePairs<String, String>) -> HeaderBlock {
    var block = HeaderBlock()
    for (name, value) in fields {
        let known = KnownHeader.allCases.first { $0.name == name }
        block.append(name, value, known: known?.rawValue ?? -1)
    }
    return block
}
