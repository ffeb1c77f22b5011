internal import GRPCWire
internal import Testing

/// The framing of gRPC-Web, with input in pieces of any size.
@Suite struct WebFramingTests {
    private static let content = (0..<200).map { UInt8(truncatingIfNeeded: $0 * 7) }

    /// The content in base64, as flushes of these sizes: each is padded on its own.
    private static func text(_ sizes: [Int]) -> [UInt8] {
        var rest = content[...]
        var text: [UInt8] = []
        for size in sizes + [content.count] {
            text += Base64.encode(rest.prefix(size), padded: true).utf8
            rest = rest.dropFirst(size)
        }
        return text
    }

    private static func decode(_ pieces: [ArraySlice<UInt8>]) throws -> [UInt8] {
        var decoder = GRPCWebTextDecoder()
        var output: [UInt8] = []
        for piece in pieces { output += try decoder.receive(Array(piece).span.asBytes) }
        try decoder.finish()
        return output
    }

    @Test(
        "Base64 with padding anywhere is decoded, split at each position",
        arguments: [
            [], [1], [2], [3], [1, 1, 1], [2, 1, 5], [4, 199],
        ])
    func decodesAnySplit(sizes: [Int]) throws {
        let text = Self.text(sizes)
        for split in 0...text.count {
            #expect(try Self.decode([text[..<split], text[split...]]) == Self.content)
        }
        #expect(try Self.decode(text.indices.map { text[$0...$0] }) == Self.content)
    }

    @Test("Line breaks in base64 are ignored")
    func ignoresLineBreaks() throws {
        let text = Array("aGVs\r\nbG8=\n".utf8)
        #expect(try Self.decode([text[...]]) == Array("hello".utf8))
    }

    @Test("Text that is not base64 is rejected", arguments: ["a!==", "====", "a===", "aGV%"])
    func rejectsOtherText(text: String) {
        #expect(throws: GRPCWebTextDecoder.Failure.invalid) {
            try Self.decode([Array(text.utf8)[...]])
        }
    }

    @Test("Base64 that ends inside a unit is rejected", arguments: ["a", "aG", "aGVsb"])
    func rejectsTruncatedText(text: String) {
        #expect(throws: GRPCWebTextDecoder.Failure.truncated) {
            try Self.decode([Array(text.utf8)[...]])
        }
    }

    @Test("The trailers are one frame with lower-case names and without an empty line")
    func writesTrailers() {
        let frame = GRPCWebTrailers.frame([("grpc-status", "5"), ("X-Name", "a b")])
        let block = Array("grpc-status: 5\r\nx-name: a b\r\n".utf8)
        #expect(frame == [0x80, 0, 0, 0, UInt8(block.count)] + block)
        let parsed = GRPCWebTrailers.parse(block)
        #expect(parsed?.map(\.name) == ["grpc-status", "x-name"])
        #expect(parsed?.map(\.value) == ["5", "a b"])
    }

    @Test(
        "Trailers of other implementations are read",
        arguments: [
            ("grpc-status:0", ["grpc-status": "0"]), ("Grpc-Status: 0\n\r\n", ["grpc-status": "0"]),
            ("a:\r\nb: c:d\r\n", ["a": "", "b": "c:d"]), ("", [:]),
        ])
    func readsTrailers(block: String, fields: [String: String]) {
        let parsed = GRPCWebTrailers.parse(Array(block.utf8)) ?? [("failed", "")]
        #expect(Dictionary(parsed.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }) == fields)
    }

    @Test("A line without a colon is rejected")
    func rejectsOtherLines() { #expect(GRPCWebTrailers.parse(Array("grpc-status".utf8)) == nil) }

    @Test(
        "Content types have a protocol and a codec",
        arguments: [
            ("application/grpc-web", WebContentType(.grpcWeb(isText: false), .proto)),
            ("application/grpc-web+json", WebContentType(.grpcWeb(isText: false), .json)),
            ("Application/GRPC-Web-Text", WebContentType(.grpcWeb(isText: true), .proto)),
            ("application/json; charset=UTF-8", WebContentType(.connectUnary, .json)),
            ("application/connect+proto", WebContentType(.connectStream, .proto)),
            ("application/grpc", nil), ("application/jsonp", nil), ("text/plain", nil), ("", nil),
            ("application/json; charset=latin1", nil),
        ])
    func readsContentTypes(text: String, type: WebContentType?) {
        #expect(WebContentType(text.utf8) == type)
    }

    @Test("The name of each content type is read as the same type")
    func namesContentTypes() {
        for name in WebContentType.accepted.split(separator: ", ") {
            let type = WebContentType(name.utf8)
            #expect(type.flatMap { WebContentType($0.text.utf8) } == type)
        }
    }
}
