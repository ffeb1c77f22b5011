/// The bytes of an HTTP/1 response.
package enum HTTP1Response {
    /// Whether the connection stays open after a response.
    package enum Persistence {
        /// The connection stays open. HTTP/1.0 requires `connection: keep-alive`.
        case keepAlive
        case close
    }

    /// The response to `Expect: 100-continue`.
    package static let proceed = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    /// The status line and header fields. `HTTPReply` has only valid names and values.
    ///
    /// - Parameter isStreamed: whether the body follows in chunks; with HTTP/1.0, until the
    ///   connection closes.
    package static func head(
        _ reply: HTTPReply, minorVersion: Int, _ persistence: Persistence, date: String,
        isStreamed: Bool = false
    ) -> [UInt8] {
        var text =
            "HTTP/1.\(minorVersion == 0 ? 0 : 1) \(reply.status) \(reason(reply.status))\r\n"
        for field in reply.fields(date: date, isStreamed: isStreamed) {
            text += "\(field.name): \(field.value)\r\n"
        }
        if isStreamed, minorVersion > 0 { text += "transfer-encoding: chunked\r\n" }
        switch persistence {
        case .close: text += "connection: close\r\n"
        case .keepAlive where minorVersion == 0: text += "connection: keep-alive\r\n"
        case .keepAlive: break
        }
        return Array((text + "\r\n").utf8)
    }

    /// The line before a chunk of the body (RFC 9112 section 7.1).
    package static func chunkHead(_ bytes: Int) -> [UInt8] {
        Array("\(String(bytes, radix: 16))\r\n".utf8)
    }

    /// The end of a chunk.
    package static let chunkEnd = Array("\r\n".utf8)

    /// The end of a body in chunks.
    package static let lastChunk = Array("0\r\n\r\n".utf8)

    /// Whether the connection stays open after the response (RFC 9112 section 9.3).
    package static func persistence(
        of fields: [HTTPFields.Field], minorVersion: Int
    ) -> Persistence {
        let options = HTTPFields.list("connection", in: fields)
        if options.contains("close") { return .close }
        return minorVersion > 0 || options.contains("keep-alive") ? .keepAlive : .close
    }

    /// The phrase of IANA's "HTTP Status Code Registry"; empty for other statuses.
    package static func reason(_ status: Int) -> String { reasons[status] ?? "" }

    private static let reasons: [Int: String] = [
        200: "OK", 201: "Created", 202: "Accepted", 203: "Non-Authoritative Information",
        204: "No Content", 205: "Reset Content", 206: "Partial Content", 207: "Multi-Status",
        208: "Already Reported", 226: "IM Used", 300: "Multiple Choices",
        301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified",
        305: "Use Proxy", 307: "Temporary Redirect", 308: "Permanent Redirect",
        400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden",
        404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
        407: "Proxy Authentication Required", 408: "Request Timeout", 409: "Conflict",
        410: "Gone", 411: "Length Required", 412: "Precondition Failed",
        413: "Content Too Large", 414: "URI Too Long", 415: "Unsupported Media Type",
        416: "Range Not Satisfiable", 417: "Expectation Failed", 421: "Misdirected Request",
        422: "Unprocessable Content", 423: "Locked", 424: "Failed Dependency", 425: "Too Early",
        426: "Upgrade Required", 428: "Precondition Required", 429: "Too Many Requests",
        431: "Request Header Fields Too Large", 451: "Unavailable For Legal Reasons",
        499: "Client Closed Request", 500: "Internal Server Error", 501: "Not Implemented",
        502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
        505: "HTTP Version Not Supported", 506: "Variant Also Negotiates",
        507: "Insufficient Storage", 508: "Loop Detected", 511: "Network Authentication Required",
    ]
}
