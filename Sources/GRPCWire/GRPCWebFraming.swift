/// The frame with the trailers, which ends a gRPC-Web response.
///
/// Source: gRPC's `PROTOCOL-WEB.md`.
package enum GRPCWebTrailers {
    /// The flag of the frame; bit 0 marks compression as in other frames.
    package static let flag: UInt8 = 0x80

    /// The frame: a prefix, and `name: value` lines with lower-case names.
    package static func frame(_ fields: [(name: String, value: String)]) -> [UInt8] {
        var block: [UInt8] = []
        for (name, value) in fields { block += "\(name.lowercased()): \(value)\r\n".utf8 }
        guard let prefix = MessagePrefix(isCompressed: false, length: block.count) else {
            return []
        }
        var frame = prefix.bytes + block
        frame[0] |= flag
        return frame
    }

    /// The fields of a block; nil if a line has no colon. Accepts lines that end with a single
    /// newline, and empty lines.
    package static func parse(
        _ block: some BidirectionalCollection<UInt8>
    ) -> [(name: String, value: String)]? {
        var fields: [(name: String, value: String)] = []
        for line in block.split(separator: 0x0a) {
            let text = line.last == 0x0d ? Array(line.dropLast()) : Array(line)
            if text.isEmpty { continue }
            guard let colon = text.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            fields.append(
                (
                    String(decoding: text[..<colon], as: UTF8.self).lowercased(),
                    String(decoding: Array(text[(colon + 1)...]).trimmed, as: UTF8.self)
                ))
        }
        return fields
    }
}

/// Decodes the body of a `grpc-web-text` request: base64 in units of four characters, of which any
/// may be padded, in pieces of any size.
package struct GRPCWebTextDecoder: Sendable {
    package enum Failure: Error, Equatable, Sendable {
        case invalid
        /// The body ends inside a unit.
        case truncated
    }

    private var unit: [UInt8] = []

    package init() {}

    /// The bytes of the units that the characters complete. Ignores line breaks.
    package mutating func receive(_ characters: RawSpan) throws(Failure) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(characters.byteCount / 4 * 3 + 3)
        for character in [UInt8](copying: characters) {
            if character == 0x0a || character == 0x0d { continue }
            unit.append(character)
            guard unit.count == 4 else { continue }
            guard let bytes = Base64.decode(unit) else { throw .invalid }
            output += bytes
            unit.removeAll(keepingCapacity: true)
        }
        return output
    }

    /// Checks that the body has ended between two units.
    package func finish() throws(Failure) {
        guard unit.isEmpty else { throw .truncated }
    }
}
