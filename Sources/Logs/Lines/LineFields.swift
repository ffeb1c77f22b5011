internal import GRPCWire

/// The named values of one line, in a format for programs.
struct LineFields {
    /// The forms of a line.
    enum Format {
        /// One JSON object (RFC 8259).
        case json
        /// `name=value` pairs, with the escapes of JSON in quotes.
        case logfmt
    }

    private let format: Format
    private var bytes: [UInt8] = []

    init(_ format: Format) {
        self.format = format
        bytes.reserveCapacity(640)
    }

    /// The bytes of the line with its line end.
    var count: Int { bytes.count + (format == .json ? 2 : 1) }

    /// Adds a text, of which more than `limit` escaped bytes are cut and end in "…".
    ///
    /// - Parameter name: letters, digits and `_.-`.
    mutating func add(_ name: String, _ text: String, limit: Int) {
        begin(name)
        let isPlain = text.utf8.count <= limit && text.utf8.allSatisfy(Self.isPlain)
        if isPlain, format == .logfmt, !text.isEmpty, !text.utf8.contains(where: Self.isSplit) {
            bytes.append(contentsOf: text.utf8)
            return
        }
        bytes.append(UInt8(ascii: "\""))
        if isPlain { bytes.append(contentsOf: text.utf8) } else { escape(text, limit: limit) }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Adds a value that needs no quotes in JSON.
    mutating func add(_ name: String, number text: String) {
        begin(name)
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func begin(_ name: String) {
        switch format {
        case .json:
            bytes.append(UInt8(ascii: bytes.isEmpty ? "{" : ","))
            bytes.append(UInt8(ascii: "\""))
            bytes.append(contentsOf: name.utf8)
            bytes.append(contentsOf: "\":".utf8)
        case .logfmt:
            if !bytes.isEmpty { bytes.append(UInt8(ascii: " ")) }
            bytes.append(contentsOf: name.utf8)
            bytes.append(UInt8(ascii: "="))
        }
    }

    /// Appends the line with its line end.
    func end(_ output: inout [UInt8]) {
        output.append(contentsOf: bytes)
        if format == .json { output.append(UInt8(ascii: "}")) }
        output.append(UInt8(ascii: "\n"))
    }

    /// Whether a byte needs no escape in quotes.
    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x20...0x7e).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    /// Whether a plain byte would end a value of logfmt without quotes.
    private static func isSplit(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "=")
    }

    private mutating func escape(_ text: String, limit: Int) {
        let end = bytes.count + limit
        for scalar in text.unicodeScalars {
            let escaped = Self.escaped(scalar)
            guard bytes.count + escaped.utf8.count <= end else {
                bytes.append(contentsOf: "…".utf8)
                return
            }
            bytes.append(contentsOf: escaped.utf8)
        }
    }

    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\"": "\\\""
        case "\\": "\\\\"
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        case _ where scalar.needsEscape: scalar.jsonEscape
        default: String(scalar)
        }
    }
}
