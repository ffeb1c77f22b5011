internal import CConsole
internal import GRPCWire
internal import Messages
internal import TrafficPolicy
package import Transport

/// The console: a web page for operators on the admin port. It consists of static files in the
/// program; the page calls the admin service with Connect, with the credentials of its user.
///
/// The files need no credentials, and a request for one changes nothing.
package struct Console: Sendable {
    /// A file in both encodings.
    private struct File {
        let type: String
        let plain: [UInt8]
        let gzip: [UInt8]
        let hash: String

        func tag(isGzip: Bool) -> String { isGzip ? "\"\(hash)-gzip\"" : "\"\(hash)\"" }
    }

    /// By path.
    private let files: [String: File]

    package init() {
        var files: [String: File] = [:]
        for (name, bytes) in Self.embedded {
            let path = name == "index.html" ? "/" : "/console/\(name)"
            files[path] = File(
                type: Self.type(of: name), plain: bytes, gzip: Gzip.compress(bytes.rawSpan),
                hash: KeyHash.hash(bytes.rawSpan, seed: 0).padded(16, radix: 16))
        }
        self.files = files
    }

    /// The files that the program contains.
    static let embedded: [(name: String, bytes: [UInt8])] = {
        var files: [(String, [UInt8])] = []
        // Invariant: the files are constant data of the program, and each has the count of its
        // bytes.
        while let file = unsafe console_file_at(files.count) {
            let bytes = unsafe UnsafeBufferPointer(
                start: file.pointee.bytes, count: file.pointee.count)
            let name = unsafe String(cString: file.pointee.name)
            files.append((name, unsafe Array(bytes)))
        }
        return files
    }()

    private static func type(of name: String) -> String {
        switch name.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "svg": "image/svg+xml"
        default: "text/javascript; charset=utf-8"
        }
    }

    /// Answers a request for a file of the console; nil for other requests.
    package func answer(_ request: HTTPRequest) -> HTTPReply? {
        guard let file = files[request.path] else { return nil }
        guard request.method == "GET" || request.method == "HEAD" else {
            return HTTPReply(
                status: 405, headers: [("allow", "GET, HEAD")],
                body: Array("use GET or HEAD\n".utf8))
        }
        let isGzip = request.values("accept-encoding").contains { HTTPFields.accepts("gzip", $0) }
        let tag = file.tag(isGzip: isGzip)
        var headers = Self.headers + [("etag", tag)]
        if Self.isCached(tag, by: request) {
            var reply = HTTPReply(emptyWithStatus: 304)
            reply.headers = headers
            return reply
        }
        if isGzip { headers.append(("content-encoding", "gzip")) }
        return HTTPReply(
            status: 200, contentType: file.type, headers: headers,
            body: isGzip ? file.gzip : file.plain)
    }

    /// Whether the client has the current file (RFC 9110 section 13.1.2).
    private static func isCached(_ tag: String, by request: HTTPRequest) -> Bool {
        request.values("if-none-match").contains { value in
            value.split(separator: ",").contains { member in
                let text = HTTPFields.trimmed(String(member))
                return text == "*"
                    || (text.hasPrefix("W/") ? String(text.dropFirst(2)) : text) == tag
            }
        }
    }

    /// A page of another site can neither show the console nor read or execute its files, and the
    /// console loads and sends nothing elsewhere.
    private static let headers: [HTTPFields.Field] = [
        (
            "content-security-policy",
            "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        ),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        // The browser asks each time whether its copy is current.
        ("cache-control", "no-cache"),
        ("vary", "accept-encoding"),
    ]
}
