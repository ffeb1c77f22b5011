internal import GRPCWire

/// The framing and the texts of gRPC-Web and Connect.
enum WebFuzz {
    /// Whatever the split, base64 decodes to the same bytes. What is accepted can be written again.
    static func feed(_ bytes: [UInt8]) {
        let cut = bytes.first.map { min(Int($0), bytes.count) } ?? 0
        let whole = decode([bytes[...]])
        precondition(decode([bytes[..<cut], bytes[cut...]]) == whole)
        precondition(decode(bytes.indices.map { bytes[$0...$0] }) == whole)

        let messages = scan([bytes[...]])
        precondition(scan([bytes[..<cut], bytes[cut...]]) == messages)
        precondition(scan(bytes.indices.map { bytes[$0...$0] }) == messages)

        if let fields = GRPCWebTrailers.parse(bytes) {
            let frame = GRPCWebTrailers.frame(fields.filter { !$0.value.contains("\n") })
            precondition(frame.first == GRPCWebTrailers.flag)
            precondition(GRPCWebTrailers.parse(frame.dropFirst(MessagePrefix.byteCount)) != nil)
        }
        let text = String(decoding: bytes, as: UTF8.self)
        _ = try? ConnectGet(query: text)
        _ = WebContentType(bytes)
        precondition(ConnectTimeout.parse(bytes).map { $0 >= 0 } != false)
        let error = ConnectError(.internalError, text, details: [.init(type: text, value: bytes)])
        var metadata = Metadata()
        metadata.add(text, text)
        precondition(ConnectEnvelope.end(error, metadata).first == ConnectEnvelope.endFlag)
    }

    /// The framing does not depend on the pieces in which a body arrives.
    private static func scan(_ pieces: [ArraySlice<UInt8>]) -> Int? {
        var scanner = FrameScanner()
        for piece in pieces {
            guard (try? scanner.scan(Array(piece).span.asBytes)) != nil else { return nil }
        }
        return (try? scanner.finish()).map { scanner.messages }
    }

    private static func decode(_ pieces: [ArraySlice<UInt8>]) -> [UInt8]? {
        var decoder = GRPCWebTextDecoder()
        var output: [UInt8] = []
        for piece in pieces {
            guard let part = try? decoder.receive(Array(piece).span.asBytes) else { return nil }
            output += part
        }
        return (try? decoder.finish()).map { output }
    }
}
