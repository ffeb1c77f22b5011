/// The custom metadata of a call: an ordered multimap of lower-case names to values.
///
/// A name that ends in `-bin` has bytes as value, base64-encoded on the wire; any other name has
/// printable ASCII. Source: "Custom-Metadata" in gRPC's `PROTOCOL-HTTP2.md`.
public struct Metadata: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    /// One field. For `-bin` names, `value` is the base64 text on the wire.
    public struct Field: Hashable, Sendable {
        /// The name, in lower case.
        public let name: String
        /// The value on the wire.
        public let value: String
    }

    /// All fields in order.
    public private(set) var fields: [Field] = []

    /// Empty metadata.
    public init() {}

    /// Metadata from a literal; a name may occur more than once.
    public init(dictionaryLiteral pairs: (String, String)...) {
        for (name, value) in pairs { add(name, value) }
    }

    /// Adds a value; the name is lower-cased.
    public mutating func add(_ name: String, _ value: String) {
        fields.append(Field(name: name.lowercased(), value: value))
    }

    /// Adds bytes under a name that ends in `-bin`.
    public mutating func add(_ name: String, bytes: [UInt8]) {
        precondition(name.hasSuffix("-bin"), "the name of binary metadata ends in -bin")
        fields.append(Field(name: name.lowercased(), value: Base64.encode(bytes)))
    }

    /// Appends all fields of another set.
    public mutating func add(_ other: Metadata) {
        fields += other.fields
    }

    /// The first value under a name.
    public subscript(name: String) -> String? {
        fields.first { $0.name == name }?.value
    }

    /// All values under a name, in order.
    public func values(_ name: String) -> [String] {
        fields.filter { $0.name == name }.map(\.value)
    }

    /// The binary values under a `-bin` name, in order. Values joined by commas are split, padding
    /// is optional, and invalid base64 is omitted.
    public func bytes(_ name: String) -> [[UInt8]] {
        values(name).flatMap(Base64.separated).compactMap { Base64.decode($0.utf8) }
    }

    /// Whether the metadata is empty.
    public var isEmpty: Bool { fields.isEmpty }

    /// Whether a name is reserved for HTTP/2 or gRPC, so that an application may not set it.
    package static func isReserved(_ name: String) -> Bool {
        name.hasPrefix(":") || (name.hasPrefix("grpc-") && !statusNames.contains(name))
            || reserved.contains(name)
    }

    /// Reserved for gRPC, but part of a status that an application or Weir sets.
    private static let statusNames: Set<String> = [
        "grpc-status-details-bin", "grpc-accept-encoding", "grpc-retry-pushback-ms",
    ]

    private static let reserved: Set<String> = [
        "content-type", "te", "connection", "host", "keep-alive", "proxy-connection",
        "transfer-encoding", "upgrade", "content-length", "user-agent",
    ]

    /// Whether a field may be sent: "Header-Name" and "ASCII-Value" of the protocol.
    package static func isValid(_ field: Field) -> Bool {
        !field.name.isEmpty
            && field.name.utf8.allSatisfy {
                (97...122).contains($0) || $0.isDigit
                    || $0 == 45 || $0 == 46 || $0 == 95
            }
            && field.value.utf8.allSatisfy { (0x20...0x7e).contains($0) }
    }
}
