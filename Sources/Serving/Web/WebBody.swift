internal import GRPCWire
internal import Messages
internal import Transport

/// Converts the body of a request to gRPC frames.
struct WebRequestBody {
    enum Framing {
        /// The body is one message.
        case bare
        /// Each message has a prefix.
        case framed
    }

    private let contentType: WebContentType
    private let framing: Framing
    private let encoding: MessageEncoding
    private let limit: Int
    private let limitName: StaticString
    private var text: GRPCWebTextDecoder?
    private var scanner = FrameScanner()
    private var deframer: Deframer
    private var message: [UInt8] = []

    /// - Parameters:
    ///   - encoding: the compression of compressed messages, or of a bare body.
    ///   - limit: the largest message, as received and decompressed.
    init(
        _ contentType: WebContentType, encoding: MessageEncoding, limit: Int,
        limitName: StaticString
    ) {
        self.contentType = contentType
        self.encoding = encoding
        self.limit = limit
        self.limitName = limitName
        framing = contentType.webProtocol == .connectUnary ? .bare : .framed
        text = contentType.webProtocol == .grpcWeb(isText: true) ? GRPCWebTextDecoder() : nil
        deframer = Deframer(limit: limit)
    }

    var heldBytes: Int { message.count + deframer.pendingBytes }

    /// Whether messages are passed on as they are.
    private var isProto: Bool { contentType.codec == .proto }

    mutating func receive(
        _ bytes: RawSpan, isLast: Bool, _ schema: MethodSchema?
    ) throws(RPCError) -> WebBytes {
        switch framing {
        case .bare: return try collect(bytes, isLast: isLast, schema)
        case .framed: break
        }
        guard text != nil else { return try frames(bytes, isLast: isLast, schema) }
        let decoded = try decode(bytes, isLast: isLast)
        if case .bytes(let frames) = try frames(decoded.rawSpan, isLast: isLast, schema) {
            return .bytes(frames)
        }
        return .bytes(decoded)
    }

    private mutating func decode(_ bytes: RawSpan, isLast: Bool) throws(RPCError) -> [UInt8] {
        do throws(GRPCWebTextDecoder.Failure) {
            let decoded = try text?.receive(bytes) ?? []
            if isLast { try text?.finish() }
            return decoded
        } catch .invalid {
            throw RPCError(.invalidArgument, "the body is not base64 in units of four characters")
        } catch {
            throw RPCError(.invalidArgument, "the body ends inside a unit of base64")
        }
    }

    // MARK: Frames

    private mutating func frames(
        _ bytes: RawSpan, isLast: Bool, _ schema: MethodSchema?
    ) throws(RPCError) -> WebBytes {
        do throws(FramingError) {
            try scanner.scan(bytes)
            if isLast { try scanner.finish() }
        } catch {
            throw RPCError(.invalidArgument, "\(error)")
        }
        if scanner.hasCompressed, encoding == .identity {
            throw RPCError(
                .internalError, "a message is compressed, but the headers name no compression")
        }
        guard !isProto else { return .same }
        return .bytes(try converted(bytes, schema))
    }

    /// The messages that the bytes complete, converted from JSON.
    private mutating func converted(
        _ bytes: RawSpan, _ schema: MethodSchema?
    ) throws(RPCError) -> [UInt8] {
        var messages: [(isCompressed: Bool, payload: [UInt8])] = []
        do {
            try deframer.receive(bytes) { messages.append(($0, [UInt8](copying: $1))) }
        } catch let error as FramingError {
            throw RPCError(.framing(error), limitName: limitName)
        } catch {
            throw RPCError(.internalError, "\(error)")
        }
        var frames: [UInt8] = []
        for message in messages {
            let json = message.isCompressed ? try inflated(message.payload) : message.payload
            frames += try frame(proto(of: json, schema), isCompressed: false)
        }
        return frames
    }

    // MARK: A bare message

    private mutating func collect(
        _ bytes: RawSpan, isLast: Bool, _ schema: MethodSchema?
    ) throws(RPCError) -> WebBytes {
        guard bytes.byteCount <= limit - message.count else {
            throw RPCError(
                .resourceExhausted,
                "the message is over the limit of \(limit) bytes (\(limitName))")
        }
        message += [UInt8](copying: bytes)
        guard isLast else { return .bytes([]) }
        let isCompressed = encoding == .gzip && !message.isEmpty
        defer { message = [] }
        guard !isProto else { return .bytes(try frame(message, isCompressed: isCompressed)) }
        let json = isCompressed ? try inflated(message) : message
        return .bytes(try frame(proto(of: json, schema), isCompressed: false))
    }

    // MARK: Messages

    private func inflated(_ bytes: [UInt8]) throws(RPCError) -> [UInt8] {
        do throws(Gzip.Failure) {
            return try Gzip.decompress(bytes.rawSpan, limit: limit)
        } catch .tooLarge(let limit) {
            throw RPCError(.decompressedTooLarge(limit: limit), limitName: limitName)
        } catch {
            throw RPCError(.invalidArgument, "a compressed message is not valid gzip")
        }
    }

    private func proto(
        of json: [UInt8], _ schema: MethodSchema?
    ) throws(RPCError) -> [UInt8] {
        guard let schema else { throw .noSchema }
        let message = try schema.request(from: json)
        guard message.count <= limit else {
            throw RPCError(
                .framing(.tooLarge(bytes: message.count, limit: limit)), limitName: limitName)
        }
        return message
    }

    private func frame(_ payload: [UInt8], isCompressed: Bool) throws(RPCError) -> [UInt8] {
        guard let prefix = MessagePrefix(isCompressed: isCompressed, length: payload.count) else {
            throw RPCError(.resourceExhausted, "the message has over 4 GiB")
        }
        return prefix.bytes + payload
    }
}

/// Converts gRPC frames of a response to the frames of a web protocol.
struct WebResponseBody {
    private let contentType: WebContentType
    private let limit: Int
    private var deframer: Deframer
    /// `grpc-encoding` of the response.
    var encoding = MessageEncoding.identity

    init(_ contentType: WebContentType, limit: Int) {
        self.contentType = contentType
        self.limit = limit
        deframer = Deframer(limit: limit)
    }

    var heldBytes: Int { deframer.pendingBytes }

    private var isText: Bool { contentType.webProtocol == .grpcWeb(isText: true) }

    mutating func convert(
        _ bytes: RawSpan, _ schema: MethodSchema?
    ) throws(RPCError) -> WebBytes {
        if contentType.codec == .proto {
            return isText ? .bytes(encoded([UInt8](copying: bytes))) : .same
        }
        var frames: [UInt8] = []
        for message in try messages(in: bytes) {
            let json = try json(of: message, schema)
            guard let prefix = MessagePrefix(isCompressed: false, length: json.count) else {
                throw RPCError(.resourceExhausted, "a message of the response has over 4 GiB")
            }
            frames += prefix.bytes + json
        }
        return .bytes(encoded(frames))
    }

    /// The messages that the bytes complete, without compression.
    mutating func messages(in bytes: RawSpan) throws(RPCError) -> [[UInt8]] {
        var received: [(isCompressed: Bool, payload: [UInt8])] = []
        do {
            try deframer.receive(bytes) { received.append(($0, [UInt8](copying: $1))) }
        } catch let FramingError.tooLarge(bytes, limit) {
            throw RPCError(
                .resourceExhausted,
                "a message of the response has \(bytes) bytes; the limit is \(limit) bytes")
        } catch {
            throw RPCError(.internalError, "the response has invalid framing: \(error)")
        }
        var messages: [[UInt8]] = []
        for message in received {
            messages.append(
                message.isCompressed ? try inflated(message.payload) : message.payload)
        }
        return messages
    }

    private func inflated(_ bytes: [UInt8]) throws(RPCError) -> [UInt8] {
        guard encoding == .gzip else {
            throw RPCError(
                .internalError,
                "the response has a compressed message, but names no known compression")
        }
        do throws(Gzip.Failure) {
            return try Gzip.decompress(bytes.rawSpan, limit: limit)
        } catch .tooLarge(let limit) {
            throw RPCError(
                .resourceExhausted,
                "a decompressed message of the response is over the limit of \(limit) bytes")
        } catch {
            throw RPCError(.internalError, "the response has a message that is not valid gzip")
        }
    }

    func json(of message: [UInt8], _ schema: MethodSchema?) throws(RPCError) -> [UInt8] {
        guard let schema else { throw .noSchema }
        return try schema.json(of: message)
    }

    /// The bytes as the content type has them: as they are, or as units of base64.
    func encoded(_ bytes: [UInt8]) -> [UInt8] {
        isText ? Array(Base64.encode(bytes, padded: true).utf8) : bytes
    }
}

extension RPCError {
    /// A bug of this server: a form that needs a schema gets it before its first message.
    fileprivate static var noSchema: RPCError {
        RPCError(.internalError, "the schema of the method is not loaded")
    }
}
