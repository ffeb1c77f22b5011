internal import Testing
internal import TrafficPolicy

@testable internal import Transport

@Suite struct HTTP1ParserTests {
    private static let bounds = HTTP1Parser.Bounds(headBytes: 1_000, fields: 6, bodyBytes: 100)

    /// The result of a parser for bytes in pieces of a size: one line for each request, and the
    /// error.
    private static func read(_ bytes: [UInt8], pieces: Int = .max) -> [String] {
        var parser = HTTP1Parser(bounds)
        var found: [String] = []
        var pending: [UInt8] = []
        var body: [UInt8] = []
        var rest = bytes[...]
        do throws(HTTPRefusal) {
            while !rest.isEmpty {
                pending += rest.prefix(pieces)
                rest = rest.dropFirst(pieces)
                while true {
                    let (consumed, part) = try parser.next(in: pending)
                    let bytes = pending.prefix(consumed)
                    pending.removeFirst(consumed)
                    guard let part else { break }
                    switch part {
                    case .head(let head):
                        let fields = head.fields.map { "\($0.name)=\($0.value)" }
                        found.append(
                            "\(head.method) \(head.target) 1.\(head.minorVersion) "
                                + fields.joined(separator: ";"))
                    case .body(let count): body += bytes.suffix(count)
                    case .end:
                        found.append("[\(String(decoding: body, as: UTF8.self))]")
                        body = []
                    }
                }
            }
        } catch {
            found.append("\(error.status)")
        }
        return found
    }

    @Test(
        "Requests are the same in pieces of any size",
        arguments: [
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", ["GET / 1.1 host=a", "[]"]),
            ("\r\n\r\nGET /a?b HTTP/1.0\r\n\r\n", ["GET /a?b 1.0 ", "[]"]),
            ("get /x HTTP/1.9\r\n\r\n", ["get /x 1.1 ", "[]"]),
            (
                "PUT / HTTP/1.1\r\nX-A:\t b c \t\r\nx-b:\r\n\r\n",
                ["PUT / 1.1 x-a=b c;x-b=", "[]"]
            ),
            (
                "POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\n\r\n",
                ["POST / 1.1 content-length=5", "[hello]", "GET /2 1.1 ", "[]"]
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n"
                    + "5;x=1\r\nhello\r\n06 ;y\r\n world\r\n0\r\nx-t: 1\r\n\r\n"
                    + "GET /2 HTTP/1.1\r\n\r\n",
                [
                    "POST / 1.1 transfer-encoding=Chunked", "[hello world]", "GET /2 1.1 ", "[]",
                ]
            ),
            ("M-SEARCH * HTTP/1.1\r\nx: \u{e9}\r\n\r\n", ["M-SEARCH * 1.1 x=\u{e9}", "[]"]),
        ])
    func readsRequests(text: String, expected: [String]) {
        let bytes = Array(text.utf8)
        for size in [Int.max, 1, 2, 3, 7] {
            #expect(Self.read(bytes, pieces: size) == expected, "pieces of \(size)")
        }
    }

    @Test(
        "An invalid request is rejected with the same status in pieces of any size",
        arguments: [
            // Request lines.
            ("GET /\r\n\r\n", 400), ("GET  / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1 \r\n\r\n", 400), (" GET / HTTP/1.1\r\n\r\n", 400),
            ("GET\t/ HTTP/1.1\r\n\r\n", 400), ("G\u{0}T / HTTP/1.1\r\n\r\n", 400),
            ("G@T / HTTP/1.1\r\n\r\n", 400), ("GET / http/1.1\r\n\r\n", 400),
            ("GET / HTTP/1\r\n\r\n", 400), ("GET / HTTP/11.1\r\n\r\n", 400),
            ("GET / HTTP/x.1\r\n\r\n", 400), ("GET / HTTP/2.0\r\n\r\n", 505),
            ("GET / HTTP/0.9\r\n\r\n", 505), ("GET / HTTP/1.1\n\n", 400),
            ("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", 400),
            (String(repeating: "A", count: 65) + " / HTTP/1.1\r\n\r\n", 501),
            ("GET /" + String(repeating: "a", count: 2_000) + " HTTP/1.1\r\n\r\n", 414),
            // Fields.
            ("GET / HTTP/1.1\r\nhost\r\n\r\n", 400), ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n: a\r\n\r\n", 400), ("GET / HTTP/1.1\r\n host: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nx: a\r\n b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nx: a\u{0}b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nx: a\rb\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nx: a\nb: c\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nx\u{e9}: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nx: \u{7f}\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nx: " + String(repeating: "a", count: 2_000) + "\r\n\r\n", 431),
            ("GET / HTTP/1.1\r\nx: " + String(repeating: "a", count: 2_000) + "\n\r\n", 431),
            ("GET / HTTP/1.1\r\n" + String(repeating: "x: a\r\n", count: 7) + "\r\n", 431),
            // Lengths.
            ("POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\na", 400),
            ("POST / HTTP/1.1\r\ncontent-length: 0x1\r\n\r\na", 400),
            ("POST / HTTP/1.1\r\ncontent-length:\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\ncontent-length: 1 1\r\n\r\na", 400),
            ("POST / HTTP/1.1\r\ncontent-length: 1, 1\r\n\r\na", 400),
            ("POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na", 400),
            ("POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na", 400),
            ("POST / HTTP/1.1\r\ncontent-length: 101\r\n\r\n", 413),
            ("POST / HTTP/1.1\r\ncontent-length: 9223372036854775807\r\n\r\n", 413),
            ("POST / HTTP/1.1\r\ncontent-length: 9223372036854775808\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\ncontent-length: \u{0661}\r\n\r\n", 400),
            // Transfer codings.
            ("POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", 501),
            ("POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 501),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked, identity\r\n\r\n", 501),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked;q=1\r\n\r\n", 501),
            ("POST / HTTP/1.1\r\ntransfer-encoding: xchunked\r\n\r\n", 501),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked, chunked\r\n\r\n", 400),
            (
                "POST / HTTP/1.1\r\n"
                    + String(repeating: "transfer-encoding: chunked\r\n", count: 2) + "\r\n",
                400
            ),
            ("POST / HTTP/1.1\r\ntransfer-encoding: ,\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n", 400),
            ("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        ])
    func rejects(text: String, status: Int) {
        for size in [Int.max, 1, 3] {
            #expect(Self.read(Array(text.utf8), pieces: size) == ["\(status)"], "pieces of \(size)")
        }
    }

    @Test(
        "An ambiguous chunk is rejected",
        arguments: [
            ("-1\r\n", 400), ("\r\n", 400), ("g\r\n", 400), ("0x5\r\nhello\r\n", 400),
            ("5 \r\nhello\r\n", 400), ("5\nhello\r\n", 400), ("5;a\u{0}\r\nhello\r\n", 400),
            ("5;a\nb\r\nhello\r\n", 400), ("00000000000000005\r\nhello\r\n", 400),
            ("5\r\nhelloo\r\n", 400), ("5\r\nhello0\r\n\r\n", 400),
            ("ffffffffffffffff\r\n", 413), ("7fffffffffffffff\r\n", 413),
            ("8000000000000000\r\n", 413), ("65\r\n", 413), ("64\r\n", nil),
            ("5;" + String(repeating: "a", count: 2_000) + "\r\nhello\r\n", 413),
            (
                String(
                    repeating: "1;" + String(repeating: "a", count: 300) + "\r\na\r\n", count: 4),
                413
            ),
            ("0\r\nx : 1\r\n\r\n", 400),
            ("0\r\nx: " + String(repeating: "a", count: 2_000) + "\r\n\r\n", 431),
            ("0\r\n" + String(repeating: "x: a\r\n", count: 6) + "\r\n", 431),
        ] as [(String, Int?)])
    func rejectsChunks(text: String, status: Int?) {
        let head = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
        for size in [Int.max, 1, 3] {
            let found = Self.read(Array((head + text).utf8), pieces: size).dropFirst()
            #expect(Array(found) == (status.map { ["\($0)"] } ?? []), "pieces of \(size)")
        }
    }

    @Test("Every limit accepts its own value and rejects one more")
    func keepsLimits() {
        func head(_ value: Int) -> [String] {
            let text = "GET / HTTP/1.1\r\nx: \(String(repeating: "a", count: value))\r\n\r\n"
            return Self.read(Array(text.utf8)).suffix(1)
        }
        // Request line 14 + 32, field 1 + 32.
        #expect(head(1_000 - 79) == ["[]"] && head(1_000 - 78) == ["431"])
        func line(_ target: Int) -> [String] {
            let text = "GET /\(String(repeating: "a", count: target)) HTTP/1.1\r\n\r\n"
            return Self.read(Array(text.utf8)).suffix(1)
        }
        #expect(line(1_000 - 46) == ["[]"] && line(1_000 - 45) == ["414"])
        func fields(_ count: Int) -> [String] {
            let text = "GET / HTTP/1.1\r\n\(String(repeating: "x: a\r\n", count: count))\r\n"
            return Self.read(Array(text.utf8)).suffix(1)
        }
        #expect(fields(6) == ["[]"] && fields(7) == ["431"])
    }

    @Test("Random changes of valid requests have the same result in pieces of any size")
    func survivesRandomBytes() {
        var seeds = LoopRandom()
        let seed = seeds.next()
        var random = LoopRandom(seed: seed)
        func number(below bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
        let base = Array(
            ("POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
                + "5;a\r\nhello\r\n0\r\n\r\n"
                + "GET / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc").utf8)
        for _ in 0..<500 {
            var bytes = base
            for _ in 0...number(below: 4) {
                bytes[number(below: bytes.count)] = UInt8(number(below: 256))
            }
            let whole = Self.read(bytes)
            for size in [1, 2, 5] {
                #expect(Self.read(bytes, pieces: size) == whole, "seed \(seed): \(bytes)")
            }
        }
    }
}
