/// A stream of one session. The slot is a small index that is reused after the stream has closed,
/// so that the layer above can keep its state in an array.
package struct HTTP2Stream: Hashable, Sendable {
    package let id: Int32
    package let slot: Int

    package init(id: Int32, slot: Int) {
        self.id = id
        self.slot = slot
    }
}

/// An HTTP/2 error code, RFC 9113 section 7.
package struct HTTP2ErrorCode: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let noError = Self(rawValue: 0x0)
    package static let protocolError = Self(rawValue: 0x1)
    package static let internalError = Self(rawValue: 0x2)
    package static let flowControlError = Self(rawValue: 0x3)
    package static let streamClosed = Self(rawValue: 0x5)
    package static let frameSizeError = Self(rawValue: 0x6)
    package static let refusedStream = Self(rawValue: 0x7)
    package static let cancel = Self(rawValue: 0x8)
    package static let enhanceYourCalm = Self(rawValue: 0xb)
    package static let inadequateSecurity = Self(rawValue: 0xc)

    package var description: String {
        let names = [
            "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR",
            "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL",
            "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY",
            "HTTP_1_1_REQUIRED",
        ]
        return rawValue < names.count ? names[Int(rawValue)] : "0x" + String(rawValue, radix: 16)
    }
}

/// What a batch of received or sent bytes amounted to.
package enum HTTP2Event: Sendable {
    /// The request or final response headers; read them with `headers(of:)` while the stream is
    /// open or the batch not over.
    case headers(HTTP2Stream, endStream: Bool)
    /// The trailers, which end the peer's side; read them with `trailers(of:)`.
    case trailers(HTTP2Stream)
    /// Headers or trailers over a limit; of headers, the fields up to the limit were kept. A
    /// client's session resets the stream with CANCEL. A server may respond; over four times the
    /// limit its session resets the stream with ENHANCE_YOUR_CALM.
    case headersTooLarge(HTTP2Stream, HeaderLimit, isTrailers: Bool)
    /// Headers or trailers of this side that cannot be sent. The session ends the stream: a
    /// server's with INTERNAL_ERROR.
    case unsendable(HTTP2Stream, UnsendableHeaders)
    /// Body bytes, as a range of the input that `receive` was given. With `endStream` the peer
    /// will send nothing more on this stream; the range may then be empty.
    case data(HTTP2Stream, Range<Int>, endStream: Bool)
    /// The output buffered for the stream fell below the mark given to `notifyWhenDrained`.
    case drained(HTTP2Stream)
    /// The stream is gone; its slot is reused after this batch.
    case closed(HTTP2Stream, HTTP2ErrorCode)
    /// The peer accepts no stream above `lastStreamID`.
    case goAway(lastStreamID: Int32, HTTP2ErrorCode)
    /// The peer's settings changed.
    case settings
    /// The peer sent a PING; the session answers it.
    case pinged
    /// The answer to `ping(_:)`.
    case pingAcknowledged(UInt64)
}

/// A limit of header blocks that one exceeds.
package enum HeaderLimit: Hashable, Sendable, CustomStringConvertible {
    /// `HTTP2Limits.maxHeaderListBytes`.
    case listBytes(Int)
    /// `HTTP2Limits.maxHeaderFields`.
    case fields(Int)
    /// The longest name or value, which nghttp2 fixes at 64 KiB.
    case fieldBytes(Int)

    package var description: String {
        switch self {
        case .listBytes(let limit): "\(limit) bytes"
        case .fields(let limit): "\(limit) fields"
        case .fieldBytes(let limit): "\(limit) bytes for one field"
        }
    }
}

/// Why headers or trailers cannot be sent. Without references, as all of `HTTP2Event`: events are
/// copied several times for each request.
package enum UnsendableHeaders: Hashable, Sendable, CustomStringConvertible {
    /// A name or value is longer than nghttp2 reads.
    case fieldBytes(Int)
    /// All of them are over the limit, which the session sets.
    case listBytes(Int)
    /// nghttp2's error.
    case refused(code: Int32)

    package var isTooLarge: Bool { if case .refused = self { false } else { true } }

    package var description: String {
        switch self {
        case .fieldBytes(let limit): "a header field is over the limit of \(limit) bytes"
        case .listBytes(let limit): "the headers are over the limit of \(limit) bytes"
        case .refused(let code): HTTP2Session.describe(code)
        }
    }
}

/// Why a connection cannot continue.
package enum HTTP2SessionError: Error, Equatable, CustomStringConvertible {
    /// The first bytes are not an HTTP/2 client preface (RFC 9113 section 3.4).
    case notHTTP2
    /// The peer broke the protocol or a limit in a way that ends the connection.
    case fatal(code: Int32, reason: String)

    package var description: String {
        switch self {
        case .notHTTP2: "the peer does not speak HTTP/2: its first bytes are not the client preface"
        case .fatal(_, let reason): "HTTP/2 connection error: \(reason)"
        }
    }
}

/// The bounds of one session. All sizes in bytes.
package struct HTTP2Limits: Sendable {
    /// Streams that the peer may have open at once.
    package var maxConcurrentStreams: UInt32 = 256
    /// Bytes that the peer may send on a stream before the reader has taken any.
    package var streamWindowBytes: Int32 = 65_535
    /// The same for all streams of the connection together.
    package var connectionWindowBytes: Int32 = 16 << 20
    /// A header list, counted as RFC 9113 section 6.5.2 does: name + value + 32 for each field.
    package var maxHeaderListBytes: Int = 16 << 10
    /// Fields of a header list.
    package var maxHeaderFields: Int = 128
    /// Resets that a peer may cause at once, and per second after that (CVE-2023-44487).
    package var resetBurst: UInt64 = 1_000
    package var resetsPerSecond: UInt64 = 33
    /// CONTINUATION frames after one HEADERS frame of a client (CVE-2024-28182); over it the
    /// connection ends.
    package var maxContinuations: Int = 8
    /// The same of a server. Many callers may share the connection, so the limit allows blocks of
    /// several MiB.
    package var maxResponseContinuations: Int = 2_048
    /// Unsent answers to PING and SETTINGS before the session treats the peer as an attacker.
    package var maxOutboundAcknowledgements: Int = 1_000

    package init() {}
}
