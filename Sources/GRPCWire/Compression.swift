internal import CZlib

/// A message encoding that Weir supports: `grpc-encoding`, `grpc-accept-encoding`.
package enum MessageEncoding: String, Sendable, CaseIterable {
    case identity
    case gzip

    /// The value of `grpc-accept-encoding`.
    package static let accepted = "identity,gzip"

    /// Whether a `grpc-accept-encoding` value lists gzip.
    package static func acceptsGzip(_ value: Span<UInt8>) -> Bool {
        var start = 0
        for end in 0...value.count where end == value.count || value[end] == UInt8(ascii: ",") {
            if namesGzip(value.extracting(start..<end)) { return true }
            start = end + 1
        }
        return false
    }

    /// Whether an entry of the list is gzip, between spaces and before any parameter.
    private static func namesGzip(_ entry: Span<UInt8>) -> Bool {
        let space = UInt8(ascii: " ")
        var start = 0
        while start < entry.count, entry[start] == space { start += 1 }
        let rest = entry.extracting(start...)
        guard rest.count >= gzipName.count else { return false }
        for index in gzipName.indices where rest[index] != gzipName[index] { return false }
        return rest.count == gzipName.count || rest[gzipName.count] == space
    }

    private static let gzipName = Array("gzip".utf8)
}

/// gzip over zlib (RFC 1952).
package enum Gzip {
    package enum Failure: Error, Equatable, Sendable {
        case notGzip
        case tooLarge(limit: Int)
    }

    /// 15 bits of window, plus 16 for zlib's gzip wrapper.
    private static let windowBits: Int32 = 15 + 16
    private static let chunkBytes = 16 << 10

    /// The size limit of the input of one zlib call, because its counts have 32 bits.
    private static let pieceBytes = 1 << 30

    package static func compress(_ bytes: RawSpan) -> [UInt8] {
        compress(bytes, pieceBytes: pieceBytes)
    }

    static func compress(_ bytes: RawSpan, pieceBytes: Int) -> [UInt8] {
        var stream = unsafe z_stream()
        let size = unsafe Int32(MemoryLayout<z_stream>.size)
        let status = unsafe deflateInit2_(
            &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY,
            ZLIB_VERSION, size)
        precondition(status == Z_OK, "zlib initialization failed: out of memory or wrong version")
        defer { unsafe deflateEnd(&stream) }
        return unsafe run(&stream, over: bytes, pieceBytes: pieceBytes) { stream, isLast in
            unsafe deflate(&stream, isLast ? Z_FINISH : Z_NO_FLUSH)
        }.output
    }

    /// - Parameter limit: the size limit of the decompressed bytes.
    package static func decompress(_ bytes: RawSpan, limit: Int) throws(Failure) -> [UInt8] {
        try decompress(bytes, limit: limit, pieceBytes: pieceBytes)
    }

    static func decompress(
        _ bytes: RawSpan, limit: Int, pieceBytes: Int
    ) throws(Failure) -> [UInt8] {
        var stream = unsafe z_stream()
        let size = unsafe Int32(MemoryLayout<z_stream>.size)
        let started = unsafe inflateInit2_(&stream, windowBits, ZLIB_VERSION, size)
        precondition(started == Z_OK, "zlib initialization failed: out of memory or wrong version")
        defer { unsafe inflateEnd(&stream) }
        let result = unsafe run(
            &stream, over: bytes, pieceBytes: pieceBytes, limit: limit
        ) { stream, _ in
            unsafe inflate(&stream, Z_NO_FLUSH)
        }
        guard result.output.count <= limit else { throw .tooLarge(limit: limit) }
        guard result.status == Z_STREAM_END, result.unread == 0 else { throw .notGzip }
        return result.output
    }

    /// Feeds the bytes to zlib piece by piece until it finishes, fails or exceeds the limit.
    private static func run(
        _ stream: inout z_stream, over bytes: RawSpan, pieceBytes: Int, limit: Int = .max,
        _ step: (inout z_stream, _ isLast: Bool) -> Int32
    ) -> (output: [UInt8], status: Int32, unread: Int) {
        var output: [UInt8] = []
        var status = Z_OK
        var fed = 0
        // Invariant: zlib reads the input only within the closure.
        unsafe bytes.withUnsafeBytes { input in
            repeat {
                if unsafe stream.avail_in == 0 {
                    let piece = unsafe UnsafeRawBufferPointer(
                        rebasing: input[fed..<min(input.count, fed + pieceBytes)])
                    fed += piece.count
                    unsafe stream.next_in = UnsafeMutablePointer(
                        mutating: piece.bindMemory(to: UInt8.self).baseAddress)
                    unsafe stream.avail_in = UInt32(piece.count)
                }
                unsafe append(to: &output) { chunk in
                    unsafe stream.next_out = chunk.baseAddress
                    unsafe stream.avail_out = UInt32(chunk.count)
                    status = unsafe step(&stream, fed == input.count)
                    return unsafe chunk.count - Int(stream.avail_out)
                }
            } while status == Z_OK && output.count <= limit
        }
        let unread = unsafe bytes.byteCount - fed + Int(stream.avail_in)
        return (output, status, unread)
    }

    private static func append(
        to output: inout [UInt8], _ produce: (UnsafeMutableBufferPointer<UInt8>) -> Int
    ) {
        output += unsafe [UInt8](unsafeUninitializedCapacity: chunkBytes) { chunk, count in
            count = unsafe produce(chunk)
        }
    }
}
