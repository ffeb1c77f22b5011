internal import Foundation
internal import Testing
internal import Transport

@testable internal import Console

@Suite struct ConsoleTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Sources/Console/Files")

    private let console = Console()

    private func ask(
        _ path: String, method: String = "GET", _ fields: [HTTPFields.Field] = []
    ) throws -> HTTPReply? {
        let head = try HTTPRequestHead(
            method, target: path, [("host", "localhost")] + fields, .http1(minor: 1))
        return console.answer(HTTPRequest(head, body: [], peer: Peer()))
    }

    private func value(_ name: String, in reply: HTTPReply?) -> String? {
        reply?.headers.first { $0.name == name }?.value
    }

    @Test("The program contains each file of the folder, and all of them have less than 200 KB")
    func files() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).sorted()
        #expect(Console.embedded.map(\.name).sorted() == names)
        for (name, bytes) in Console.embedded {
            let content = try Data(contentsOf: Self.folder.appending(path: name))
            #expect(bytes == Array(content), "\(name)")
        }
        #expect(Console.embedded.reduce(0) { $0 + $1.bytes.count } < 200_000)
    }

    @Test("A file of the console is short enough to read")
    func bounds() {
        for (name, bytes) in Console.embedded {
            let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            #expect(lines.count <= 401, "\(name)")
            if name != "icon.svg" { #expect(lines.allSatisfy { $0.count <= 110 }, "\(name)") }
        }
    }

    @Test("Only the paths of files are answered")
    func paths() throws {
        for path in [
            "/console", "/console/", "/console/missing.js", "/console/index.html", "/x",
            "/metrics", "/console/../console/app.js", "/CONSOLE/app.js",
        ] {
            #expect(try ask(path) == nil, "\(path)")
        }
        for (path, type) in [
            ("/", "text/html; charset=utf-8"), ("/?x=1", "text/html; charset=utf-8"),
            ("/console/app.js", "text/javascript; charset=utf-8"),
            ("/console/style.css", "text/css; charset=utf-8"),
            ("/console/icon.svg", "image/svg+xml"),
        ] {
            let reply = try ask(path)
            #expect(reply?.status == 200, "\(path)")
            #expect(value("content-type", in: reply) == type)
        }
    }

    @Test("Each response forbids other origins to embed, read or execute it")
    func headers() throws {
        for (name, _) in Console.embedded {
            let reply = try ask(name == "index.html" ? "/" : "/console/\(name)")
            let policy = value("content-security-policy", in: reply) ?? ""
            for part in ["default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
                #expect(policy.contains(part), "\(name)")
            }
            #expect(!policy.contains("unsafe"))
            #expect(value("x-content-type-options", in: reply) == "nosniff")
            #expect(value("cross-origin-resource-policy", in: reply) == "same-origin")
            #expect(value("referrer-policy", in: reply) == "no-referrer")
        }
    }

    @Test("A request that names the tag of the current file gets status 304")
    func caching() throws {
        let plain = try #require(value("etag", in: ask("/")))
        let gzip = try #require(value("etag", in: ask("/", [("accept-encoding", "br, gzip")])))
        #expect(plain != gzip)
        for (tags, status) in [
            (plain, 304), ("W/\(plain)", 304), ("\"other\", \(plain)", 304), ("*", 304),
            (gzip, 200), ("\"other\"", 200), ("", 200),
        ] {
            let reply = try ask("/", [("if-none-match", tags)])
            #expect(reply?.status == status, "\(tags)")
            #expect(value("etag", in: reply) == plain)
            #expect(reply?.body.isEmpty == (status == 304))
        }
        #expect(
            try ask("/", [("accept-encoding", "gzip"), ("if-none-match", gzip)])?.status == 304)
    }

    @Test("A file is sent in gzip exactly to clients that accept it")
    func gzip() throws {
        for (accepted, isGzip) in [
            ("gzip", true), ("br;q=1, gzip;q=0.5", true), ("gzip;q=0", false), ("br", false),
            ("", false),
        ] {
            let reply = try #require(try ask("/", [("accept-encoding", accepted)]))
            #expect((value("content-encoding", in: reply) == "gzip") == isGzip, "\(accepted)")
            #expect(reply.body.starts(with: [0x1f, 0x8b]) == isGzip)
            #expect(value("vary", in: reply) == "accept-encoding")
        }
    }

    @Test("Only GET and HEAD are allowed", arguments: ["POST", "PUT", "DELETE", "OPTIONS", "get"])
    func methods(method: String) throws {
        let reply = try ask("/", method: method)
        #expect(reply?.status == 405)
        #expect(value("allow", in: reply) == "GET, HEAD")
    }
}
