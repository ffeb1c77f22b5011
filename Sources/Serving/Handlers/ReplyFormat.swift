internal import GRPCWire
internal import HTTP2Session
internal import Messages

/// How the replies of a call are written: as protobuf or JSON, compressed or not.
struct ReplyFormat {
    /// Converts the messages, for a client that sends and accepts JSON.
    var json: MessageJSON?
    /// Whether the client compresses its requests and accepts compressed replies.
    var isCompressed = false

    /// Whether replies are protobuf without compression.
    var isPlain: Bool { json == nil && !isCompressed }

    var encoding: MessageEncoding { isCompressed ? .gzip : .identity }

    /// The headers of a response without metadata.
    var headers: HeaderBlock {
        var headers = json == nil ? ServerCall.plainHeaders : Self.jsonHeaders
        if isCompressed { headers.append("grpc-encoding", encoding.rawValue) }
        return headers
    }

    static let jsonHeaders = HeaderBlock([
        ":status": "200", "content-type": ContentType.json,
    ])

    /// Writes a reply with its prefix to an empty frame.
    func write(_ reply: some WireMessage, to frame: inout [UInt8]) throws(RPCError) {
        frame += MessagePrefix.room
        do throws(MessageError) {
            try reply.serialize(appendingTo: &frame)
        } catch {
            throw RPCError(.internalError, "the reply cannot be encoded: \(error)")
        }
        if isPlain {
            try writePrefix(of: &frame)
        } else {
            frame = try self.frame(of: Array(frame[MessagePrefix.byteCount...]))
        }
    }

    /// A serialized reply with its prefix.
    func frame(of reply: [UInt8]) throws(RPCError) -> [UInt8] {
        let payload = try json?.json(of: reply) ?? reply
        var frame = MessagePrefix.room
        frame += isCompressed ? Gzip.compress(payload.rawSpan) : payload
        try writePrefix(of: &frame)
        return frame
    }

    /// Writes the prefix of a message into its first five bytes, which are reserved.
    private func writePrefix(of frame: inout [UInt8]) throws(RPCError) {
        let length = frame.count - MessagePrefix.byteCount
        guard let prefix = MessagePrefix(isCompressed: isCompressed, length: length) else {
            throw RPCError(.internalError, "the reply has \(length) bytes; gRPC allows 4 GiB")
        }
        prefix.write(to: &frame)
    }
}
