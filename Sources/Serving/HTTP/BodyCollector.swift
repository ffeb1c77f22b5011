internal import GRPCWire
internal import Messages

/// Collects a body in memory: at most `limit` bytes, which count as buffered on the loop. Confined
/// to its loop.
struct BodyCollector {
    enum Problem {
        case tooLarge
        /// The server buffers too many bytes.
        case overload(RPCError)
    }

    private let loop: LoopState
    let limit: Int
    private(set) var bytes: [UInt8] = []

    init(_ loop: LoopState, limit: Int) {
        self.loop = loop
        self.limit = limit
    }

    /// - Returns: nil, or why the body cannot be used.
    mutating func append(_ piece: RawSpan) -> Problem? {
        guard piece.byteCount <= limit - bytes.count else { return .tooLarge }
        bytes.append(piece)
        return loop.hold(piece.byteCount).map { .overload($0) }
    }

    /// Returns the body, which then no longer counts as buffered.
    mutating func take() -> [UInt8] {
        let body = bytes
        drop()
        return body
    }

    mutating func drop() {
        _ = loop.hold(-bytes.count)
        bytes = []
    }
}
