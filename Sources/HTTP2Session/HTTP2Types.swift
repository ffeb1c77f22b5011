/// A stream of one session. The slot is a small index, reused after the stream closes, so that the
/// layer above can store its state in an array.
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

/// An event of a batch of received or sent bytes.
package enum HTTP2Event: Sendable {
    /// The request or final response headers; read them with `headers(of:)` while the stream is
    /// open or the batch not over.
    case headers(HTTP2Stream, endStream: Bool)
    /// The trailers, which end the peer's side; read them with `trailers(of:)`.
    case trailers(HTTP2Stream)
    /// Headers or trailers exceed a limit; of headers, the fields up to the limit were kept. A
    /// client's session resets the stream with CANCEL. A server may respond; above four times the
    /// limit, its session resets the stream with ENHANCE_YOUR_CALM.
    case headersTooLarge(HTTP2Stream, HeaderLimit, isTrailers: Bool)
    /// Headers or trailers of this side cannot be sent. The session ends the stream; a server's
    /// session resets it with INTERNAL_ERROR.
    case unsendable(HTTP2Stream, UnsendableHeaders)
    /// Body bytes, as a range of the input of `receive`. With `endStream`, the peer has ended its
    /// side of the stream; the range may then be empty.
    case data(HTTP2Stream, Range<Int>, endStream: Bool)
    /// The unsent output of the stream fell below the mark of `notifyWhenDrained`.
    case drained(HTTP2Stream)
    /// The stream closed; its slot is reused after this batch.
    case closed(HTTP2Stream, HTTP2ErrorCode)
    /// The peer accepts no stream above `lastStreamID`.
    case goAway(lastStreamID: Int32, HTTP2ErrorCode)
    /// The peer's settings changed.
    case settings
    /// The peer sent a PING; the session answers it.
    case pinged
    /// The peer acknowledged `ping(_:)`.
    case pingAcknowledged(UInt64)
}

/// The limit that a header block exceeds.
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
        case .fieldBytes(let limit): "\(limit) bytes per field"
        }
    }
}

/// Why headers or trailers cannot be sent. Contains no references, like all of `HTTP2Event`,
/// because events are copied several times per request.
package enum UnsendableHeaders: Hashable, Sendable, CustomStringConvertible {
    /// A name or value exceeds the size that nghttp2 reads.
    case fieldBytes(Int)
    /// The block exceeds the limit, which the session sets.
    case listBytes(Int)
    /// Another error of nghttp2.
    case refused(code: Int32)

    package var isTooLarge: Bool { if case .refused = self { false } else { true } }

    package var description: String {
        switch self {
        case .fieldBytes(let limit): "a header field exceeds the limit of \(limit) bytes"
        case .listBytes(let limit): "the headers exceed the limit of \(limit) bytes"
        case .refused(let code): HTTP2Session.describe(code)
        }
    }
}

/// Why a connection cannot continue.
package enum HTTP2SessionError: Error, Equatable, CustomStringConvertible {
    /// The first bytes are not an HTTP/2 client preface (RFC 9113 section 3.4).
    case notHTTP2
    /// The peer violated the protocol or a limit, which ends the connection.
    case fatal(code: Int32, reason: String)

    package var description: String {
        switch self {
        case .notHTTP2: "the first bytes of the peer are not an HTTP/2 client preface"
        case .fatal(_, let reason): "HTTP/2 connection error: \(reason)"
        }
    }
}

/// The bounds of one session. All sizes in bytes.
package struct HTTP2Limits: Sendable {
    /// The limit of concurrent streams of the peer.
    package var maxConcurrentStreams: UInt32 = 256
    /// The flow-control window of a stream.
    package var streamWindowBytes: Int32 = 65_535
    /// The flow-control window of the connection.
    package var connectionWindowBytes: Int32 = 16 << 20
    /// The size limit of a header list, counted as in RFC 9113 section 6.5.2: name + value + 32 for
    /// each field.
    package var maxHeaderListBytes: Int = 16 << 10
    /// The maximum number of fields of a header list.
    package var maxHeaderFields: Int = 128
    /// The limit of stream resets that the peer causes: a burst, and then a rate per second
    /// (CVE-2023-44487).
    package var resetBurst: UInt64 = 1_000
    package var resetsPerSecond: UInt64 = 33
    /// The maximum number of CONTINUATION frames after one HEADERS frame of a client
    /// (CVE-2024-28182). Above it, the connection ends.
    package var maxContinuations: Int = 8
    /// The same limit for a server's frames. Many calls may share the connection, so the limit
    /// allows blocks of several MiB.
    package var maxResponseContinuations: Int = 2_048
    /// The limit of unsent acknowledgements of PING and SETTINGS. Above it, the connection ends.
    package var maxOutboundAcknowledgements: Int = 1_000

    package init() {}
}
