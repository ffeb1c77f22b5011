/// The envelope of a message in a Connect stream: a flag, a length and the payload, as in gRPC,
/// with a second flag for the end of the stream.
///
/// Source: "Connect Protocol Reference", "Streaming RPCs".
package enum ConnectEnvelope {
    /// The flag of the last envelope of a response.
    package static let endFlag: UInt8 = 2

    /// The last envelope, with the error, if any, and the trailing metadata as JSON.
    package static func end(_ error: ConnectError?, _ metadata: Metadata) -> [UInt8] {
        var text = "{"
        if let error { text += "\"error\":\(error.json)" }
        if !metadata.isEmpty {
            if error != nil { text += "," }
            text += "\"metadata\":{"
            var names: [String] = []
            for field in metadata.fields where !names.contains(field.name) {
                names.append(field.name)
            }
            let members = names.map { name in
                let values = metadata.values(name).map(JSONText.quoted).joined(separator: ",")
                return "\(JSONText.quoted(name)):[\(values)]"
            }
            text += members.joined(separator: ",") + "}"
        }
        let payload = Array((text + "}").utf8)
        guard let prefix = MessagePrefix(isCompressed: false, length: payload.count) else {
            return []
        }
        var envelope = prefix.bytes + payload
        envelope[0] |= endFlag
        return envelope
    }
}

/// The error of a Connect call.
///
/// Source: "Connect Protocol Reference", "Errors" and "Error Codes".
package struct ConnectError: Equatable, Sendable {
    /// One detail: the full name of its type, and its protobuf.
    package struct Detail: Equatable, Sendable {
        package let type: String
        package let value: [UInt8]

        package init(type: String, value: [UInt8]) {
            self.type = type
            self.value = value
        }
    }

    package let code: StatusCode
    package let message: String
    package let details: [Detail]

    package init(_ code: StatusCode, _ message: String, details: [Detail] = []) {
        self.code = code
        self.message = message
        self.details = details
    }

    /// The names of codes 1 to 16, and the HTTP status of each.
    private static let codes: [(name: String, httpStatus: Int)] = [
        ("canceled", 499), ("unknown", 500), ("invalid_argument", 400),
        ("deadline_exceeded", 504), ("not_found", 404), ("already_exists", 409),
        ("permission_denied", 403), ("resource_exhausted", 429), ("failed_precondition", 400),
        ("aborted", 409), ("out_of_range", 400), ("unimplemented", 501), ("internal", 500),
        ("unavailable", 503), ("data_loss", 500), ("unauthenticated", 401),
    ]

    /// The name of a code. A number that gRPC does not define is unknown.
    package static func name(of code: StatusCode) -> String { entry(code).name }

    /// The HTTP status of a unary error.
    package static func httpStatus(of code: StatusCode) -> Int { entry(code).httpStatus }

    private static func entry(_ code: StatusCode) -> (name: String, httpStatus: Int) {
        codes.indices.contains(code.rawValue - 1) ? codes[code.rawValue - 1] : codes[1]
    }

    /// The code with a name; nil for other names.
    package static func code(named name: String) -> StatusCode? {
        codes.firstIndex { $0.name == name }.map { StatusCode(rawValue: $0 + 1) }
    }

    /// The JSON of the error.
    package var json: String {
        var text = "{\"code\":\"\(Self.name(of: code))\""
        if !message.isEmpty { text += ",\"message\":\(JSONText.quoted(message))" }
        if !details.isEmpty {
            let list = details.map { detail in
                let type = JSONText.quoted(detail.type)
                return "{\"type\":\(type),\"value\":\"\(Base64.encode(detail.value))\"}"
            }
            text += ",\"details\":[\(list.joined(separator: ","))]"
        }
        return text + "}"
    }
}

/// Strings in JSON.
package enum JSONText {
    package static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = [UInt8(ascii: "\"")]
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                bytes += "\\u00\(digits.utf8.count < 2 ? "0" : "")\(digits)".utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The `connect-timeout-ms` header: at most ten digits.
package enum ConnectTimeout {
    /// Nanoseconds; nil if the text is not a timeout.
    package static func parse(_ text: some Collection<UInt8>) -> Int64? {
        guard (1...10).contains(text.count), text.allSatisfy(\.isDigit) else { return nil }
        return text.reduce(Int64(0)) { $0 * 10 + Int64($1 - 48) } * 1_000_000
    }
}
