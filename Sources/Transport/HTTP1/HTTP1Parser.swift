internal import GRPCWire
internal import HTTP2Session

/// Parses the requests of an HTTP/1 connection (RFC 9112). Pure: it stores no bytes except those of
/// an incomplete head.
///
/// ```
///            request line       empty line            length = 0
///   start ----------------> fields ------> framing ------------------------------.
///     ^                                      |  |  length                        |
///     |                                      |  '--------> body ---------------->|
///     |                             chunked  v        all bytes                  |
///     |                 .----------> chunk size -- 0 --> trailers -- empty line ->|
///     |       CRLF      |                 |                                      |
///     |            chunk end <-- bytes -- chunk                                  |
///     '------------------------------- end <-------------------------------------'
/// ```
///
/// Lines end in CRLF. A single CR or LF, a folded line, a space before a colon, and anything else
/// that two recipients could interpret differently is refused. After a refusal, the parser cannot
/// continue.
package struct HTTP1Parser: Sendable {
    /// The limits of a request.
    package struct Bounds: Sendable {
        /// Bytes of the request line and fields, counted as in RFC 9113 section 6.5.2.
        package var headBytes: Int
        /// Header fields.
        package var fields: Int
        /// Bytes of the body.
        package var bodyBytes: Int

        /// Limits for each part.
        package init(headBytes: Int, fields: Int, bodyBytes: Int) {
            self.headBytes = headBytes
            self.fields = fields
            self.bodyBytes = bodyBytes
        }
    }

    /// The head of a request as received; names in lower case, values trimmed.
    package struct Head: Sendable {
        /// A token.
        package fileprivate(set) var method = ""
        /// Not empty, not checked further.
        package fileprivate(set) var target = ""
        /// 0 or 1.
        package fileprivate(set) var minorVersion = 1
        /// In order.
        package fileprivate(set) var fields: [HTTPFields.Field] = []
        /// How the body is delimited.
        package fileprivate(set) var framing = HTTP1Framing.length(0)
    }

    /// A parsed part of a request.
    package enum Part: Sendable {
        case head(Head)
        /// The last consumed bytes, this many, belong to the body.
        case body(Int)
        /// The request is complete.
        case end
    }

    private enum State: Equatable {
        case start
        case fields
        /// This many bytes of the body are missing.
        case body(Int)
        case chunkSize
        case chunk(Int)
        case chunkEnd
        case trailers
    }

    /// The longest method that is accepted.
    private static let maxMethodBytes = 64
    /// Empty lines before a request that are ignored (RFC 9112 section 2.2).
    private static let maxEmptyLines = 4

    private var bounds: Bounds
    private var state = State.start
    private var head = Head()
    /// Bytes of an incomplete line that were searched for its end.
    private var searched = 0
    private var emptyLines = 0
    private var headBytes = 0
    private var fieldCount = 0
    /// The sum of the chunk sizes.
    private var chunkedBytes = 0
    /// Bytes of chunk extensions.
    private var extensionBytes = 0

    /// A parser before its first request.
    package init(_ bounds: Bounds) { self.bounds = bounds }

    /// Whether the next byte is the first byte of a request.
    package var isBetweenRequests: Bool { state == .start }
    /// Whether a request's head is incomplete.
    package var isInHead: Bool { state == .start || state == .fields }
    /// The method of the current request; empty before its request line.
    package var method: String { head.method }
    /// The minor version of HTTP/1 of that request; 1 before its request line.
    package var minorVersion: Int { head.minorVersion }

    /// Sets the limit of bodies in chunks, from the next chunk on.
    package mutating func limitBody(to bytes: Int) { bounds.bodyBytes = bytes }

    /// Reads the next part.
    ///
    /// - Parameter input: all bytes that were not consumed.
    /// - Returns: the number of consumed bytes, and the part that they complete; nil if more bytes
    ///   are needed.
    package mutating func next<Input: RandomAccessCollection<UInt8>>(
        in input: Input
    ) throws(HTTPRefusal) -> (consumed: Int, part: Part?) where Input.Index == Int {
        var rest = input[...]
        while true {
            let before = rest.count
            let part = try step(&rest)
            // A consumed line may complete no part.
            guard part == nil, rest.count < before else {
                return (input.count - rest.count, part)
            }
        }
    }

    private mutating func step<Input: RandomAccessCollection<UInt8>>(
        _ rest: inout Input
    ) throws(HTTPRefusal) -> Part? where Input.SubSequence == Input, Input.Index == Int {
        switch state {
        case .body(0): return end()
        case .body(let missing):
            let part = take(missing, of: &rest)
            if case .body(let count) = part { state = .body(missing - count) }
            return part
        case .chunk(let missing):
            let part = take(missing, of: &rest)
            if case .body(let count) = part {
                state = missing == count ? .chunkEnd : .chunk(missing - count)
            }
            return part
        case .start, .fields, .chunkSize, .chunkEnd, .trailers:
            guard let line = try takeLine(of: &rest) else { return nil }
            return try read(line)
        }
    }

    private func take<Input: RandomAccessCollection<UInt8>>(
        _ missing: Int, of rest: inout Input
    ) -> Part? where Input.SubSequence == Input {
        let count = min(missing, rest.count)
        rest = rest.dropFirst(count)
        return count == 0 ? nil : .body(count)
    }

    private mutating func end() -> Part {
        state = .start
        head = Head()
        headBytes = 0
        fieldCount = 0
        return .end
    }

    // MARK: Lines

    /// The next line without its CRLF, when it is complete.
    private mutating func takeLine<Input: RandomAccessCollection<UInt8>>(
        of rest: inout Input
    ) throws(HTTPRefusal) -> Input? where Input.SubSequence == Input {
        guard let feed = rest.dropFirst(searched).firstIndex(of: UInt8(ascii: "\n")) else {
            searched = rest.count
            guard searched <= lineLimit + 1 else { throw lineTooLong }
            return nil
        }
        searched = 0
        let line = rest[..<feed]
        rest = rest[feed...].dropFirst()
        // First, so that a line in several reads gets the same refusal.
        guard line.count <= lineLimit + 1 else { throw lineTooLong }
        guard line.last == UInt8(ascii: "\r") else {
            throw HTTPRefusal(400, "a line ends in LF without CR")
        }
        return line.dropLast()
    }

    private var lineLimit: Int {
        switch state {
        case .chunkSize, .chunkEnd: bounds.headBytes - extensionBytes
        default: bounds.headBytes - headBytes
        }
    }

    private var lineTooLong: HTTPRefusal {
        switch state {
        case .start: .targetTooLong(limit: bounds.headBytes)
        case .chunkSize, .chunkEnd:
            HTTPRefusal(413, "the chunk extensions are over the limit of \(bounds.headBytes) bytes")
        default: .headersTooLarge(bytes: bounds.headBytes)
        }
    }

    private mutating func read<Line: RandomAccessCollection<UInt8>>(
        _ line: Line
    ) throws(HTTPRefusal) -> Part? where Line.SubSequence == Line {
        switch state {
        case .start: try readRequestLine(line)
        case .fields where line.isEmpty: return try endHead()
        case .fields: head.fields.append(try readField(line))
        case .chunkSize: try readChunkSize(line)
        case .chunkEnd:
            guard line.isEmpty else {
                throw HTTPRefusal(400, "a chunk is longer than its size")
            }
            state = .chunkSize
        case .trailers where line.isEmpty: return end()
        // Trailers may be discarded (RFC 9110 section 6.5.1).
        case .trailers: _ = try readField(line)
        case .body, .chunk: break
        }
        return nil
    }

    private mutating func readRequestLine<Line: RandomAccessCollection<UInt8>>(
        _ line: Line
    ) throws(HTTPRefusal) where Line.SubSequence == Line {
        guard !line.isEmpty else {
            emptyLines += 1
            guard emptyLines <= Self.maxEmptyLines else {
                throw HTTPRefusal(400, "too many empty lines before the request line")
            }
            return
        }
        emptyLines = 0
        let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard words.count == 3, HTTPFields.isToken(words[0]), !words[1].isEmpty else {
            let text = String(decoding: line, as: UTF8.self).quoted
            throw HTTPRefusal(
                400, "invalid request line \(text): it must be METHOD TARGET HTTP/1.1")
        }
        head.minorVersion = try Self.minorVersion(words[2])
        guard words[0].count <= Self.maxMethodBytes else {
            throw HTTPRefusal(501, "the method has over \(Self.maxMethodBytes) characters")
        }
        head.method = String(decoding: words[0], as: UTF8.self)
        head.target = String(decoding: words[1], as: UTF8.self)
        headBytes = line.count + HeaderBlock.fieldOverheadBytes
        guard headBytes <= bounds.headBytes else {
            throw .targetTooLong(limit: bounds.headBytes)
        }
        state = .fields
    }

    /// A recipient treats a higher minor version as the highest that it supports (RFC 9110 section
    /// 2.5).
    private static func minorVersion(
        _ word: some RandomAccessCollection<UInt8>
    ) throws(HTTPRefusal) -> Int {
        let bytes = Array(word)
        var text: String { String(decoding: bytes, as: UTF8.self).quoted }
        guard bytes.count == 8, bytes.starts(with: "HTTP/".utf8), bytes[6] == UInt8(ascii: "."),
            bytes[5].isDigit, bytes[7].isDigit
        else {
            throw HTTPRefusal(400, "invalid version \(text): it must be HTTP/1.1")
        }
        guard bytes[5] == UInt8(ascii: "1") else {
            throw HTTPRefusal(505, "\(text) is not supported on this connection: use HTTP/1.1")
        }
        return bytes[7] == UInt8(ascii: "0") ? 0 : 1
    }

    private mutating func readField<Line: RandomAccessCollection<UInt8>>(
        _ line: Line
    ) throws(HTTPRefusal) -> HTTPFields.Field where Line.SubSequence == Line {
        let name = line.prefix { $0 != UInt8(ascii: ":") }
        guard name.count < line.count, HTTPFields.isToken(name) else {
            let text = String(decoding: name, as: UTF8.self).quoted
            throw HTTPRefusal(
                400, "invalid header field \(text): it must be a name, a colon and a value")
        }
        let value = Array(line.dropFirst(name.count + 1).trimmed)
        let text = String(decoding: name, as: UTF8.self).lowercased()
        guard HTTPFields.isValue(value) else {
            throw HTTPRefusal(
                400, "the value of header \(text.quoted) contains a control character")
        }
        headBytes += name.count + value.count + HeaderBlock.fieldOverheadBytes
        guard headBytes <= bounds.headBytes else {
            throw .headersTooLarge(bytes: bounds.headBytes)
        }
        fieldCount += 1
        guard fieldCount <= bounds.fields else { throw .tooManyFields(limit: bounds.fields) }
        return (text, HTTPFields.text(of: value))
    }

    private mutating func endHead() throws(HTTPRefusal) -> Part {
        head.framing = try HTTP1Framing(
            head.fields, minorVersion: head.minorVersion, limit: bounds.bodyBytes)
        chunkedBytes = 0
        extensionBytes = 0
        switch head.framing {
        case .length(let length): state = .body(length)
        case .chunked: state = .chunkSize
        }
        return .head(head)
    }

    // MARK: Chunks

    /// The most digits of a chunk size, including leading zeros.
    private static let maxSizeDigits = 16

    private mutating func readChunkSize<Line: RandomAccessCollection<UInt8>>(
        _ line: Line
    ) throws(HTTPRefusal) where Line.SubSequence == Line {
        let digits = line.prefix(while: \.isHexDigit)
        let rest = line.dropFirst(digits.count)
        let unpadded = rest.drop(while: \.isBlank)
        guard (1...Self.maxSizeDigits).contains(digits.count),
            rest.isEmpty || unpadded.first == UInt8(ascii: ";"), HTTPFields.isValue(rest)
        else {
            let text = String(decoding: line, as: UTF8.self).quoted
            throw HTTPRefusal(
                400,
                "invalid chunk size \(text): it must be 1 to \(Self.maxSizeDigits) hexadecimal "
                    + "digits")
        }
        extensionBytes += rest.count
        guard extensionBytes <= bounds.headBytes else { throw lineTooLong }
        let size = digits.reduce(UInt64(0)) { $0 << 4 | UInt64($1.hexValue ?? 0) }
        guard size > 0 else {
            state = .trailers
            return
        }
        guard let size = Int(exactly: size), size <= bounds.bodyBytes - chunkedBytes else {
            throw .bodyTooLarge(limit: bounds.bodyBytes)
        }
        chunkedBytes += size
        state = .chunk(size)
    }
}
